"""Streams of rows and labels, from any reader."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from faast.data import cells
from faast.data.columns import Columns, choose_columns
from faast.data.reader import WINDOW_ROWS, DataError, Fault, Modality, Reader, Record

OnError = Literal["raise", "skip"]

MAX_MESSAGES = 20
"""Messages of skipped rows that are kept; all skipped rows are counted."""


class Batch(NamedTuple):
    """Rows that are read together.

    Attributes
    ----------
    rows : list
        What an encoder of the source's modality takes.
    labels : list of hashable, or None where no label column is read
    numbers : list of int
        Line numbers (from 1), or places in a container.
    """

    rows: list[Any]
    labels: list[Hashable] | None
    numbers: list[int]


class RowSource:
    """Batches of rows, read as they are needed: a file may be larger than memory.

    Every iteration reads from the beginning. Batches hold `WINDOW_ROWS` rows, the last one fewer,
    so that encoding them one by one gives the same features as encoding all rows at once.

    Parameters
    ----------
    reader : Reader
    modality : {"text", "image", "features"}
    row_column, label_column : str, optional
        A row column that is not named is found; without a label column no labels are read.
    labelled : bool
        False leaves the label column aside, where there is one. Labels are all strings, all
        numbers, or all true and false.
    on_error : {"raise", "skip"}
        What to do about a row that cannot be read.
    folder : pathlib.Path
        What relative image paths start from.

    Attributes
    ----------
    skipped : int
        Rows that the latest iteration has skipped.
    messages : list of str
        Why, for the first of them.

    Raises
    ------
    DataError
        While iterating: nothing to read, a missing column, or (unless skipped) an unreadable row.
    """

    def __init__(
        self,
        reader: Reader,
        modality: Modality = "text",
        row_column: str | None = None,
        label_column: str | None = "label",
        on_error: OnError = "raise",
        folder: Path | None = None,
        labelled: bool = True,
    ) -> None:
        if on_error not in ("raise", "skip"):
            raise ValueError(f'on_error must be "raise" or "skip", got {on_error!r}')
        self.reader, self.modality, self.on_error = reader, modality, on_error
        self.row_column, self.label_column = row_column, label_column
        self.labelled = labelled and label_column is not None
        self.folder = folder or Path()
        self.skipped = 0
        self.messages: list[str] = []
        self._width, self._label_kind = 0, ""

    @property
    def name(self) -> str:
        """What error messages call the file."""
        return self.reader.name

    @property
    def fraction(self) -> float | None:
        """How much of the file the latest iteration has read, 0 to 1, where that is known."""
        return self.reader.fraction

    def __iter__(self) -> Iterator[Batch]:
        self.skipped, self.messages, self._width, self._label_kind = 0, [], 0, ""
        rows: list[Any] = []
        labels: list[Hashable] = []
        numbers: list[int] = []
        found = False
        for number, row, label in self._rows():
            rows.append(row)
            numbers.append(number)
            labels.append(label)
            if len(rows) == WINDOW_ROWS:
                yield Batch(rows, labels if self.labelled else None, numbers)
                rows, labels, numbers, found = [], [], [], True
        if rows:
            yield Batch(rows, labels if self.labelled else None, numbers)
        elif not found:
            skipped = f" ({self.skipped} could not be read)" if self.skipped else ""
            raise DataError(f"{self.name} holds no rows{skipped}; put one in, or name another")

    def _rows(self) -> Iterator[tuple[int, Any, Hashable]]:
        chosen: list[Columns] = []

        def choose(present: Any) -> list[str]:
            chosen.append(
                choose_columns(
                    present,
                    self.modality,
                    self.row_column,
                    self.label_column,
                    self.name,
                    self.labelled,
                )
            )
            return chosen[0].wanted

        for record in self.reader.records(choose):
            if isinstance(record, Fault):
                self.report(record.number, record.reason)
                continue
            try:
                row, label = self._converted(record, chosen[0])
            except ValueError as error:
                self.report(record.number, str(error))
            else:
                yield record.number, row, label

    def _converted(self, record: Record, columns: Columns) -> tuple[Any, Hashable]:
        fields = record.fields
        label = None if columns.label is None else cells.label(fields[columns.label])
        if columns.row is not None:
            row = self._row(fields[columns.row])
        else:
            row = self._row([value for name, value in fields.items() if name != columns.label])
        self._check_alike(row, label)
        return row, label

    def _row(self, value: Any) -> Any:
        if self.modality == "text":
            return cells.text_row(value)
        if self.modality == "image":
            return cells.image_row(value, self.folder)
        return cells.feature_row(value)

    def _check_alike(self, row: Any, label: Hashable) -> None:
        """Check that a row is like the first one: as wide, its label of the same kind."""
        width = len(row) if self.modality == "features" else 0
        if self._width not in (0, width):
            raise ValueError(f"{width} features, the first row has {self._width}")
        kind = "" if label is None else cells.kind_of(label)
        if self._label_kind not in ("", kind):
            raise ValueError(
                f"the label {label!r} is {kind}, the first one is {self._label_kind}; write all "
                "labels alike"
            )
        self._width, self._label_kind = width, kind

    def report(self, number: int, reason: str) -> None:
        """Raise what is wrong with a row, or count it where such rows are skipped."""
        message = f"{self.name}, {self.reader.unit} {number}: {reason}"
        if self.on_error == "raise":
            raise DataError(f'{message}; on_error="skip" (--on-error skip) leaves such rows out')
        self.skipped += 1
        if len(self.messages) < MAX_MESSAGES:
            self.messages.append(message)
