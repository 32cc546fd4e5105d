"""Rows of a task: add and teach, list, correct, confirm and forget them."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, model_validator

from faast.serve.fields import (
    LABEL_FORM,
    MAX_LABEL,
    MAX_ROWS,
    PICTURE_TYPES,
    Label,
    Numbers,
    Picture,
    Request,
    Text,
    check_pixels,
    picture_type,
)
from faast.serve.problems import RESPONSES, RequestError
from faast.serve.routes.dependencies import Limit, Position, TheTask, Who
from faast.serve.routes.history import ChangeAnswer
from faast.serve.tasks import records
from faast.serve.tasks.kinds import Kind
from faast.serve.tasks.records import Change, Row
from faast.serve.tasks.task import Task, no_row

router = APIRouter(prefix="/v1/tasks/{task}", tags=["rows"], responses=RESPONSES)


LabelQuery = Annotated[str | None, LABEL_FORM, Query(max_length=MAX_LABEL)]
WaitingQuery = Annotated[bool | None, Query()]


class RawRow(Request):
    """A row as it is given: a text, a picture as the base64 of its file, or numbers."""

    text: Text | None = None
    picture: Picture | None = None
    numbers: Numbers | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if len(self._given()) != 1:
            raise ValueError("a row has one of text, picture and numbers")
        return self

    def _given(self) -> dict[Kind, records.RawRow]:
        kinds: dict[Kind, records.RawRow | None] = {
            "texts": self.text,
            "pictures": self.picture,
            "numbers": self.numbers,
        }
        return {kind: row for kind, row in kinds.items() if row is not None}

    def of_kind(self, kind: Kind) -> records.RawRow:
        """Return the row; raises a RequestError if the task takes rows of another kind."""
        ((given, row),) = self._given().items()
        if given != kind:
            raise RequestError(422, f"this is a task of {kind}, and the row has {given}")
        return row


class NewRow(RawRow):
    """A row to add; it is learned if it has a label, and waits for one if not."""

    label: Label | None = None
    source: Label | None = None


class Teaching(Request):
    """Rows to add."""

    rows: Annotated[list[NewRow], Field(min_length=1, max_length=MAX_ROWS)]

    @model_validator(mode="after")
    def _few_pixels(self) -> Self:
        check_pixels([row.picture for row in self.rows if row.picture is not None])
        return self


class Correction(Request):
    """The label that a row should have."""

    label: Label


class RowAnswer(BaseModel):
    """A row by its number.

    `text` is null and `picture`, an address, is null where rows are not kept; `label` is null where
    the row waits for one.
    """

    id: int
    text: str | None
    picture: str | None
    numbers: list[float] | None
    label: str | None
    source: str | None
    confirmed: bool

    @classmethod
    def of(cls, task: Task, row: Row) -> RowAnswer:
        """Build from a row of the log."""
        picture = f"/v1/tasks/{task.name}/rows/{row.id}/picture" if row.has_picture else None
        return cls(
            id=row.id,
            text=row.text,
            picture=picture,
            numbers=row.numbers,
            label=row.label,
            source=row.source,
            confirmed=row.confirmed,
        )


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
    task: TheTask,
    source: LabelQuery = None,
    label: LabelQuery = None,
    waiting: WaitingQuery = None,
    after: Position = 0,
    limit: Limit = 100,
) -> RowsAnswer:
    """List rows by rising number; those of a source or label, waiting or learned ones, or all."""
    found = task.rows(source, label, waiting, after, limit + 1)
    rows = [RowAnswer.of(task, row) for row in found[:limit]]
    return RowsAnswer(rows=rows, next=rows[-1].id if len(found) > limit else None)


@router.post("/rows", status_code=201)
def teach(task: TheTask, teaching: Teaching, who: Who) -> TaughtAnswer:
    """Add rows, and learn those with a label. Answers after the acknowledgement know them."""
    rows = [records.NewRow(row.of_kind(task.kind), row.label, row.source) for row in teaching.rows]
    return TaughtAnswer.with_ids(*task.teach(rows, who))


@router.get("/rows/{row}")
def show_row(task: TheTask, row: int) -> RowAnswer:
    """Show a row, with its source."""
    return RowAnswer.of(task, task.row(_in_range(row)))


@router.get(
    "/rows/{row}/picture",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in PICTURE_TYPES.values()}}},
)
def show_picture(task: TheTask, row: int) -> Response:
    """Send the image file of a row."""
    content = task.picture(_in_range(row))
    return Response(content, media_type=picture_type(content))


@router.patch("/rows/{row}")
def correct(task: TheTask, row: int, correction: Correction, who: Who) -> ChangeAnswer:
    """Give a row a label, its first or another one, as if it had been added with it."""
    return ChangeAnswer.of(task.correct(_in_range(row), correction.label, who))


@router.post("/rows/{row}/confirm")
def confirm(task: TheTask, row: int, who: Who) -> ChangeAnswer:
    """Mark the label of a row as checked."""
    return ChangeAnswer.of(task.confirm(_in_range(row), who))


@router.delete("/rows/{row}")
def forget(task: TheTask, row: int, who: Who) -> ChangeAnswer:
    """Forget a row, as if it had never been added. It stays in the log, so that undo works."""
    return ChangeAnswer.of(task.forget(_in_range(row), who))


def _in_range(number: int) -> int:
    """Return the number of a row; raise a RequestError if it is none that the log can hold."""
    if not 0 < number < 2**63:
        raise no_row(number)
    return number
