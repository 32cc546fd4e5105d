"""Ask a task for the labels of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

import numpy as np
from fastapi import APIRouter
from pydantic import Field, model_validator
from pydantic_core import to_json
from starlette.responses import Response
from typing_extensions import TypedDict  # pydantic needs it before Python 3.12

from faast.encoders.base import Features
from faast.serve.fields import MAX_ROWS, Numbers, Pictures, Request, Texts
from faast.serve.problems import RESPONSES, RequestError
from faast.serve.routes.dependencies import TheTask, taught_state
from faast.serve.routes.quickly import answer, is_quick
from faast.serve.tasks.counters import count_novelty
from faast.serve.tasks.kinds import Kind
from faast.serve.tasks.records import RawRow
from faast.serve.tasks.state import TaskState
from faast.serve.tasks.task import Task

router = APIRouter(prefix="/v1/tasks/{task}", tags=["ask"], responses=RESPONSES)


class Question(Request):
    """Rows to label, of the kind of the task."""

    texts: Texts | None = None
    pictures: Pictures | None = None
    numbers: Annotated[list[Numbers], Field(min_length=1, max_length=MAX_ROWS)] | None = None
    novelty: bool = False

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if len(self._given()) != 1:
            raise ValueError("a question has one of texts, pictures and numbers")
        return self

    def _given(self) -> dict[Kind, Sequence[RawRow]]:
        kinds: dict[Kind, Sequence[RawRow] | None] = {
            "texts": self.texts,
            "pictures": self.pictures,
            "numbers": self.numbers,
        }
        return {kind: rows for kind, rows in kinds.items() if rows is not None}

    def of_kind(self, kind: Kind) -> Sequence[RawRow]:
        """Return the rows; raises a RequestError if the task takes rows of another kind."""
        ((given, rows),) = self._given().items()
        if given != kind:
            raise RequestError(422, f"this is a task of {kind}, and the question has {given}")
        return rows

    def is_quick(self, task: Task) -> bool:
        """Tell whether the rows are labelled in a few milliseconds."""
        if self.novelty or self.pictures is not None:
            return False
        rows = self.texts or self.numbers or []
        return is_quick(task, len(rows), sum(map(len, rows)))


class LabelAnswer(TypedDict):
    """The answer for one row.

    `novelty_p_value` is how often a learned row, left out, is as unusual as this one; it is null if
    it was not asked for or cannot be measured.
    """

    label: str
    probability: float
    runner_up: str | None
    runner_up_probability: float | None
    probabilities: dict[str, float]
    novelty_p_value: float | None


class QuestionAnswer(TypedDict):
    """One answer per row; `state` is the hash of the state that gave them all."""

    answers: list[LabelAnswer]
    state: str


@router.post("/ask", response_model=QuestionAnswer)
async def ask(task: TheTask, question: Question) -> Response:
    """Label rows, with the probability of every class and the runner-up."""
    content = await answer(lambda: _label(task, question), here=question.is_quick(task))
    return Response(content, media_type="application/json")


def _label(task: Task, question: Question) -> bytes:
    state = taught_state(task)
    features = encode(state, question.of_kind(task.kind))
    answers = label(state, features, question.novelty)
    count_novelty(task.name, [found["novelty_p_value"] for found in answers])
    return to_json(QuestionAnswer(answers=answers, state=state.hash))


def encode(state: TaskState, rows: Sequence[RawRow]) -> Features:
    """Return features (n, d) of rows to ask about; raises a RequestError if they do not fit."""
    features, width = state.encode(rows), state.features_model.n_features_in_
    if features.shape[1] != width:
        raise RequestError(422, f"rows of this task have {width} numbers, got {features.shape[1]}")
    return features


def label(state: TaskState, features: Features, novelty: bool = False) -> list[LabelAnswer]:
    """Return the answers for features (n, d), with their novelty if it is wanted."""
    classes, shares = list(state.classes), state.probabilities(features)
    order = np.argsort(-shares, axis=1, kind="stable")[:, :2].tolist()
    unusual = state.novelty_p_values(features) if novelty else None
    return [
        LabelAnswer(
            label=classes[first],
            probability=row[first],
            runner_up=classes[others[0]] if others else None,
            runner_up_probability=row[others[0]] if others else None,
            probabilities=dict(zip(classes, row, strict=True)),
            novelty_p_value=None if unusual is None else float(unusual[i]),
        )
        for i, (row, (first, *others)) in enumerate(zip(shares.tolist(), order, strict=True))
    ]
