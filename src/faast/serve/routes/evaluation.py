"""Measure a task on the rows that it has learned."""

from __future__ import annotations

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel
from scipy.stats import binomtest

from faast.serve.problems import RESPONSES, RequestError
from faast.serve.routes.dependencies import TheTask

router = APIRouter(prefix="/v1/tasks/{task}", tags=["evaluation"], responses=RESPONSES)


class ClassAccuracy(BaseModel):
    """Rows of a class, and how many of them get its label when left out."""

    rows: int
    right: int


class EvaluationAnswer(BaseModel):
    """Leave-one-out accuracy with its 95% Clopper-Pearson interval."""

    rows: int
    right: int
    accuracy: float
    interval: tuple[float, float]
    classes: dict[str, ClassAccuracy]
    state: str


@router.get("/evaluation")
def evaluate(task: TheTask) -> EvaluationAnswer:
    """Measure the accuracy on the rows of the log, each predicted without having learned it."""
    state, ids, labels, _, features = task.learned()
    if not ids:
        raise RequestError(409, "there are no rows in the log to measure with; teach some first")
    shares = state.left_out_probabilities(features, labels)
    predicted = np.array(list(state.classes), dtype=object)[shares.argmax(axis=1)]
    # a class whose only row is left out could not have been predicted
    others = np.array([state.classes[label] > 1 for label in labels])
    right = (predicted == np.array(labels, dtype=object)) & others
    exact = binomtest(int(right.sum()), len(ids)).proportion_ci()
    own = {label: right[np.array(labels, dtype=object) == label] for label in sorted(set(labels))}
    return EvaluationAnswer(
        rows=len(ids),
        right=int(right.sum()),
        accuracy=float(right.mean()),
        interval=(float(exact.low), float(exact.high)),
        classes={
            label: ClassAccuracy(rows=len(part), right=int(part.sum()))
            for label, part in own.items()
        },
        state=state.hash,
    )
