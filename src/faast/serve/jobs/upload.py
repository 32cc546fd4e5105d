"""Uploads: files of rows, read one row after the other and checked as rows of requests are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from faast.data import DataError
from faast.data.images import read_image
from faast.data.labels import parse_label
from faast.serve.fields import MAX_PICTURE, Label, Numbers, Picture, Text, check_picture
from faast.serve.jobs.pictures import Pictures
from faast.serve.jobs.tables import NAMES, Fields, csv_rows, json_rows
from faast.serve.tasks.kinds import Kind
from faast.serve.tasks.records import NewRow, RawRow
from faast.serve.wording import describe_error

Format = Literal["csv", "jsonl", "zip"]
"""Format of an upload."""

MAX_UPLOAD_ROWS = 1_000_000
"""Rows that an upload may have."""

BATCH_ROWS = 1_000
"""Rows that are taught in one change."""

BATCH_BYTES = 32 * 2**20
"""Bytes of the rows of a change, beyond which no row is added to it."""

NUMBER_BYTES = 32
"""Bytes of a number in a list."""

COLUMNS: dict[Kind, str] = {"texts": "text", "pictures": "picture", "numbers": "numbers"}
"""The column of the rows, for each kind of task."""

_TYPES: dict[str, TypeAdapter[Any]] = {
    "text": TypeAdapter(Text),
    "picture": TypeAdapter(Picture),
    "numbers": TypeAdapter(Numbers),
    "label": TypeAdapter(Label | None),
    "source": TypeAdapter(Label | None),
    "confirmed": TypeAdapter(bool | None),
}


class Upload:
    """The rows of an uploaded file.

    Every iteration reads from the beginning.

    Parameters
    ----------
    path : Path
    format : {"csv", "jsonl", "zip"}
    kind : {"texts", "pictures", "numbers"}
        Kind of the task that they are for.
    source : str or None
        Source of rows that name none.
    learned : sequence of str, optional
        Names of the columns of numbers that the task has learned.

    Attributes
    ----------
    left_out : int
        Number of files in a zip archive that are no pictures, and are left out.
    columns : tuple of str or None
        Names of the columns of numbers, in the order of the rows, once the first row was read;
        None if the file names none.

    Raises
    ------
    DataError
        While iterating, if the file cannot be read or a row is no row of such a task; it names
        the line and column, or the picture.
    """

    def __init__(
        self,
        path: Path,
        format: Format,
        kind: Kind,
        source: str | None,
        learned: Sequence[str] | None = None,
    ) -> None:
        self.path, self.format, self.kind, self.source = path, format, kind, source
        self.learned = learned
        self.left_out = 0
        self.columns: tuple[str, ...] | None = None

    def __iter__(self) -> Iterator[tuple[str, NewRow]]:
        """Yield each row, with its place in the file."""
        width = None
        for number, (place, fields) in enumerate(self._fields(), start=1):
            if number > MAX_UPLOAD_ROWS:
                raise DataError(f"the file has more than {MAX_UPLOAD_ROWS} rows; split it")
            row = self._parse(place, fields)
            if self.format == "csv" and NAMES in fields:
                self.columns = tuple(fields[NAMES])
            if isinstance(row.raw, list) and width not in (None, len(row.raw)):
                raise DataError(f"{place}: {len(row.raw)} numbers, but rows before have {width}")
            width = len(row.raw)
            yield place, row
        if width is None:
            raise DataError("the file holds no rows; put one in")

    def check(self, wanted: Callable[[], bool]) -> int:
        """Read and decode all rows, and return their number; stop early if no longer `wanted`."""
        count = 0
        for place, row in self:
            count += 1
            if isinstance(row.raw, bytes):
                try:
                    read_image(row.raw)
                except ValueError as error:
                    raise DataError(f"{place}: {error}") from error
            if not wanted():
                break
        return count

    def batches(self, after: int) -> Iterator[tuple[list[NewRow], int]]:
        """Yield the rows after a number in batches, each with the number of its last row."""
        batch: list[NewRow] = []
        size = number = 0
        for number, (_, row) in enumerate(self, start=1):
            if number <= after:
                continue
            if batch and (len(batch) == BATCH_ROWS or size > BATCH_BYTES):
                yield batch, number - 1
                batch, size = [], 0
            batch.append(row)
            size += len(row.raw) * (NUMBER_BYTES if isinstance(row.raw, list) else 1)
        if batch:
            yield batch, number

    def _fields(self) -> Iterable[tuple[str, Fields]]:
        if self.format == "zip":
            if self.kind != "pictures":
                raise DataError(f"a zip archive holds pictures, and this is a task of {self.kind}")
            pictures = Pictures(self.path, MAX_PICTURE)
            self.left_out = pictures.left_out
            return pictures
        if self.format == "csv":
            return csv_rows(self.path, COLUMNS[self.kind], self.learned)
        return json_rows(self.path, COLUMNS[self.kind])

    def _parse(self, place: str, fields: Fields) -> NewRow:
        column = COLUMNS[self.kind]
        raw: RawRow
        if isinstance(fields.get(column), bytes):  # a file of a zip archive
            try:
                raw = check_picture(fields[column])
            except ValueError as error:
                raise DataError(f"{place}: {error}") from error
        else:
            raw = _value(column, fields, place)
        label = _value("label", {"label": _read_label(fields.get("label"), place)}, place)
        source = _value("source", fields, place)
        confirmed = _value("confirmed", fields, place) or False
        return NewRow(raw, label, source or self.source, confirmed)


def _read_label(value: Any, place: str) -> str | None:
    """Return the text of a label by the rule of `parse_label`.

    A text that spells a number or a truth value stays that text: labels of a task are texts, and
    those that it exports must come back.
    """
    if value is None:
        return None
    try:
        label = parse_label(value)
    except ValueError as error:
        raise DataError(f"{place}, column 'label': {error}") from error
    if isinstance(label, str):
        return label
    return value.strip() if isinstance(value, str) else json.dumps(label)


def _value(column: str, fields: Fields, place: str) -> Any:
    """Return the value of a column as a row holds it."""
    try:
        return _TYPES[column].validate_python(fields.get(column))
    except ValidationError as error:
        first = error.errors()[0]
        at = "".join(f", number {i + 1}" for i in first["loc"] if isinstance(i, int))
        raise DataError(f"{place}, column {column!r}{at}: {describe_error(first)}") from error
