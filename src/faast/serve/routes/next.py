"""Which rows to label next."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from faast.serve.problems import RESPONSES
from faast.serve.routes.ask import LabelAnswer, label
from faast.serve.routes.dependencies import TheTask
from faast.serve.routes.rows import RowAnswer

router = APIRouter(prefix="/v1/tasks/{task}", tags=["rows"], responses=RESPONSES)

MOST = 50
"""Rows that can be asked for at once."""


class NextRow(BaseModel):
    """A row that waits for a label, and what the task would answer; null if it knows no class."""

    row: RowAnswer
    guess: LabelAnswer | None


class NextAnswer(BaseModel):
    """The rows most worth labelling, the most useful first, and the number that wait in all."""

    rows: list[NextRow]
    waiting: int


@router.get("/next")
def next_rows(task: TheTask, n: Annotated[int, Query(ge=1, le=MOST)] = 1) -> NextAnswer:
    """Choose waiting rows whose labels would tell most about all of them.

    They differ from each other and from learned rows, so that none of them has to be labelled
    before the others are useful.
    """
    pool = task.pool()
    chosen = pool.choose(n)
    guesses: list[LabelAnswer | None] = [None] * len(chosen)
    if chosen and pool.state.can_answer:
        guesses = [*label(pool.state, pool.features[chosen])]
    guess_of = dict(zip([pool.ids[place] for place in chosen], guesses, strict=True))
    rows = [
        NextRow(row=RowAnswer.of(task, row), guess=guess_of[row.id])
        for row in task.find(list(guess_of))
    ]
    return NextAnswer(rows=rows, waiting=len(pool.ids))
