"""Measure a task on the rows that it has learned, each predicted without having learned it."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Self

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel

from faast.serve.fields import LABEL_FORM, MAX_LABEL
from faast.serve.problems import RESPONSES, RequestError
from faast.serve.routes.dependencies import Limit, TheTask
from faast.serve.routes.rows import RowAnswer
from faast.serve.tasks.review import Accuracy, Review
from faast.serve.tasks.task import Task

router = APIRouter(prefix="/v1/tasks/{task}/evaluation", tags=["evaluation"], responses=RESPONSES)

LabelOf = Annotated[str, LABEL_FORM, Query(max_length=MAX_LABEL)]


class ClassAccuracy(BaseModel):
    """Rows of a class, and how many of them get its label when left out."""

    rows: int
    right: int


class AccuracyAnswer(BaseModel):
    """Leave-one-out accuracy with its 95% Clopper-Pearson interval."""

    rows: int
    right: int
    accuracy: float
    interval: tuple[float, float]

    @classmethod
    def of(cls, found: Accuracy) -> Self:
        """Build from what a review counts."""
        return cls(
            rows=found.rows, right=found.right, accuracy=found.share, interval=found.interval
        )


class Confusion(BaseModel):
    """Rows with a label, and what they are taken for when left out."""

    label: str
    predicted: str
    rows: int


class EvaluationAnswer(AccuracyAnswer):
    """Leave-one-out accuracy, over all, for each class, and which classes are confused."""

    classes: dict[str, ClassAccuracy]
    confusion: list[Confusion]
    state: str


class CellAnswer(BaseModel):
    """Rows behind a cell of the confusion."""

    rows: list[RowAnswer]
    state: str


class CurveAnswer(BaseModel):
    """Accuracy over the first rows that were taught; the last point is over all of them."""

    points: list[AccuracyAnswer]
    state: str


@router.get("")
def evaluate(task: TheTask) -> EvaluationAnswer:
    """Measure the accuracy on the rows of the log."""
    review = reviewed(task)
    found, labels = AccuracyAnswer.of(Accuracy.of(review.right)), review.learned.labels
    own = {label: review.right[np.array(labels, object) == label] for label in sorted(set(labels))}
    cells = Counter(
        (label, guess)
        for label, guess in zip(labels, review.predicted, strict=True)
        if guess is not None
    )
    return EvaluationAnswer(
        **vars(found),
        classes={
            label: ClassAccuracy(rows=len(part), right=int(part.sum()))
            for label, part in own.items()
        },
        confusion=[
            Confusion(label=label, predicted=predicted, rows=rows)
            for (label, predicted), rows in sorted(cells.items())
        ],
        state=review.learned.state.hash,
    )


@router.get("/rows")
def show_cell(task: TheTask, label: LabelOf, predicted: LabelOf, limit: Limit = 100) -> CellAnswer:
    """List rows with a label that are taken for another, or the same, when left out."""
    review = reviewed(task)
    cells = zip(review.learned.ids, review.learned.labels, review.predicted, strict=True)
    ids = [number for number, own, guess in cells if (own, guess) == (label, predicted)]
    rows = [RowAnswer.of(task, row) for row in task.find(ids[:limit])]
    return CellAnswer(rows=rows, state=review.learned.state.hash)


@router.get("/curve")
def learning_curve(task: TheTask) -> CurveAnswer:
    """Measure how the accuracy grew with the rows that were taught."""
    review = reviewed(task)
    points = [AccuracyAnswer.of(point) for point in review.curve()]
    return CurveAnswer(points=points, state=review.learned.state.hash)


def reviewed(task: Task) -> Review:
    """Return what the learned rows say; raises a RequestError if the log holds none."""
    review = task.review()
    if not review.learned.ids:
        raise RequestError(409, "there are no rows in the log to measure with; teach some first")
    return review
