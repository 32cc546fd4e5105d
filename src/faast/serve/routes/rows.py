"""Rows of a task: teach, list, correct and forget them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from faast.serve.fields import MAX_LABEL, MAX_ROWS, Label, Request, Text
from faast.serve.problems import RESPONSES
from faast.serve.routes.dependencies import Limit, Position, TheTask
from faast.serve.routes.history import ChangeAnswer
from faast.serve.tasks.log import Change, Row

router = APIRouter(prefix="/v1/tasks/{task}", tags=["rows"], responses=RESPONSES)


SourceQuery = Annotated[str | None, Query(max_length=MAX_LABEL)]


class NewRow(Request):
    """A row to teach."""

    text: Text
    label: Label
    source: Label | None = None


class Teaching(Request):
    """Rows to teach."""

    rows: Annotated[list[NewRow], Field(min_length=1, max_length=MAX_ROWS)]


class Correction(Request):
    """The label that a row should have."""

    label: Label


class RowAnswer(BaseModel):
    """A row by its number."""

    id: int
    text: str
    label: str
    source: str | None

    @classmethod
    def of(cls, row: Row) -> RowAnswer:
        """Build from a row of the log."""
        return cls(**vars(row))


class RowsAnswer(BaseModel):
    """Rows; `next` is the `after` of the next page, if there are more."""

    rows: list[RowAnswer]
    next: int | None


class TaughtAnswer(ChangeAnswer):
    """An acknowledged change, with the numbers of its rows."""

    ids: list[int]

    @classmethod
    def with_ids(cls, change: Change, ids: list[int]) -> TaughtAnswer:
        """Build from a change of the log and the numbers of its rows."""
        return cls(**vars(change), ids=ids)


@router.get("/rows")
def list_rows(
    task: TheTask, source: SourceQuery = None, after: Position = 0, limit: Limit = 100
) -> RowsAnswer:
    """List the rows that are learned, by rising number; all of them, or those of one source."""
    found = task.rows(source, after, limit + 1)
    rows = [RowAnswer.of(row) for row in found[:limit]]
    return RowsAnswer(rows=rows, next=rows[-1].id if len(found) > limit else None)


@router.post("/rows", status_code=201)
def teach(task: TheTask, teaching: Teaching) -> TaughtAnswer:
    """Learn rows. Answers that come after the acknowledgement know them."""
    rows = [(row.text, row.label, row.source) for row in teaching.rows]
    return TaughtAnswer.with_ids(*task.teach(rows))


@router.get("/rows/{row}")
def show_row(task: TheTask, row: int) -> RowAnswer:
    """Show a row, with its source."""
    return RowAnswer.of(task.row(_in_range(row)))


@router.patch("/rows/{row}")
def correct(task: TheTask, row: int, correction: Correction) -> ChangeAnswer:
    """Give a row another label, as if it had been taught with it."""
    return ChangeAnswer.of(task.correct(_in_range(row), correction.label))


@router.delete("/rows/{row}")
def forget(task: TheTask, row: int) -> ChangeAnswer:
    """Forget a row, as if it had never been taught. It stays in the log, so that undo works."""
    return ChangeAnswer.of(task.forget(_in_range(row)))


def _in_range(number: int) -> int:
    """Return the number of a row as the log can hold it; others are the numbers of no row."""
    return number if 0 < number < 2**63 else 0
