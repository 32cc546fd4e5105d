"""Batches of rows and labels, streamed from any reader."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from faast.data.cells import is_missing, parse_features, parse_image, parse_text
from faast.data.columns import Columns, choose_columns
from faast.data.label_cells import parse_labels, parse_marks
from faast.data.labels import label_kind
from faast.data.numbers import parse_number
from faast.data.reader import WINDOW_ROWS, DataError, LeftOut, Modality, Reader, Record, RowError

OnError = Literal["raise", "skip"]

MAX_MESSAGES = 20
"""Messages about skipped rows that are kept; all skipped rows are counted."""

MAX_WINDOW_BYTES = 1 << 30
"""Most bytes, or characters, of the rows of one batch."""


class Batch(NamedTuple):
    """Rows that were read together.

    Attributes
    ----------
    rows : list
        Texts, images or arrays of features, as encoders and classifiers take them.
    labels : list of hashable, or None
        One label per row, or a frozenset of labels. If numbers are read (`target_columns`), a
        float per row, or a tuple of them for several columns. None if none of these is read.
    numbers : list of int
        The line number of each row, counted from 1, or its index in a container.
    """

    rows: list[Any]
    labels: list[Hashable] | None
    numbers: list[int]


class RowSource:
    """Rows of a source in batches, read as they are needed: a file may be larger than memory.

    Every iteration reads from the beginning. All batches but the last hold `WINDOW_ROWS` rows, so
    that encoding the batches one by one gives the same features as encoding all rows at once.

    Parameters
    ----------
    reader : Reader
    modality : {"text", "image", "features"}
        What a row is.
    row_column, label_column : str, optional
        See `open_rows`.
    on_error : {"raise", "skip"}
        Whether a row that cannot be read raises an error or is left out.
    folder : pathlib.Path, optional
        Folder to which paths of images are relative; by default the working directory.
    labelled : bool
        Whether to read labels or numbers. If False, their columns are ignored.
    feature_names, target_columns : sequence of str, optional
        See `open_rows`.
    label_separator : str, optional
        See `open_rows`.
    marks : sequence of str
        See `open_rows`.

    Attributes
    ----------
    feature_names : list of str or None
        The names of the features, in the order in which rows hold them. None until the first
        batch is read, and if the source does not name features.
    skipped : int
        Number of rows, and of files that are no rows, that the latest iteration has left out.
    messages : list of str
        The reasons, for the first `MAX_MESSAGES` of these.

    Raises
    ------
    ValueError
        If `on_error` is neither "raise" nor "skip".
    DataError
        While iterating: if there are no rows, a column is missing, or a row cannot be read and is
        not to be skipped. The labels of a file that tells strings and numbers apart must be all
        strings or all numbers, and no file may mix numbers with true and false.
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
        feature_names: Sequence[str] | None = None,
        target_columns: Sequence[str] = (),
        label_separator: str | None = None,
        marks: Sequence[str] = (),
    ) -> None:
        if on_error not in ("raise", "skip"):
            raise ValueError(f'on_error must be "raise" or "skip", got {on_error!r}')
        self.reader, self.modality, self.on_error = reader, modality, on_error
        self.row_column, self.label_column = row_column, label_column
        self.target_columns = list(target_columns)
        self.label_separator, self.marks = label_separator, list(marks)
        answers = label_column is not None or bool(target_columns) or bool(marks)
        self.labelled = labelled and answers
        self.folder = folder or Path()
        self._wanted_features = feature_names
        self.feature_names: list[str] | None = None
        self.skipped = 0
        self.messages: list[str] = []
        self._width, self._kinds = 0, dict[str, str]()

    @property
    def name(self) -> str:
        """What error messages call the source."""
        return self.reader.name

    @property
    def fraction(self) -> float | None:
        """The part of the source that the latest iteration has read; see `Reader.fraction`."""
        return self.reader.fraction

    def __iter__(self) -> Iterator[Batch]:
        self.skipped, self.messages, self._width, self._kinds = 0, [], 0, {}
        rows: list[Any] = []
        labels: list[Hashable] = []
        numbers: list[int] = []
        found, size = False, 0
        for number, row, label in self._rows():
            size += _size_of(row)
            if size > MAX_WINDOW_BYTES:
                raise DataError(
                    f"{self.name}, {self.reader.unit} {number}: {len(rows) + 1:,} rows that are "
                    f"read together hold more than {MAX_WINDOW_BYTES:,} bytes; shorten the rows"
                )
            rows.append(row)
            numbers.append(number)
            labels.append(label)
            if len(rows) == WINDOW_ROWS:
                yield Batch(rows, labels if self.labelled else None, numbers)
                rows, labels, numbers, found, size = [], [], [], True, 0
        if rows:
            yield Batch(rows, labels if self.labelled else None, numbers)
        elif not found:
            skipped = f" ({self.skipped} could not be read)" if self.skipped else ""
            raise DataError(f"{self.name} holds no rows{skipped}; put one in, or name another")

    def report(self, number: int, reason: str) -> None:
        """Raise an error about a row, or count the row if such rows are skipped.

        Parameters
        ----------
        number : int
            Number of the row; see `Batch`.
        reason : str

        Raises
        ------
        DataError
            If `on_error` is "raise".
        """
        message = f"{self.name}, {self.reader.unit} {number}: {reason}"
        if self.on_error == "raise":
            raise DataError(f'{message}; on_error="skip" (--on-error skip) leaves such rows out')
        self._count(message)

    def _count(self, message: str) -> None:
        """Count what is left out, and keep the first messages."""
        self.skipped += 1
        if len(self.messages) < MAX_MESSAGES:
            self.messages.append(message)

    def _rows(self) -> Iterator[tuple[int, Any, Hashable]]:
        chosen: list[Columns] = []

        def choose(present: Sequence[str]) -> list[str]:
            chosen.append(
                choose_columns(
                    present,
                    self.modality,
                    self.row_column,
                    self.label_column,
                    self.name,
                    self.labelled,
                    self.reader.index_columns(present),
                    self._wanted_features,
                    [*self.target_columns, *self.marks],
                )
            )
            self.feature_names = chosen[0].features or None
            return chosen[0].wanted

        for record in self.reader.records(choose):
            if isinstance(record, LeftOut):
                self._count(f"{self.name}: {record.reason}")
                continue
            if isinstance(record, RowError):
                self.report(record.number, record.reason)
                continue
            try:
                row, label = self._parse(record, chosen[0])
            except ValueError as error:
                self.report(record.number, str(error))
            else:
                yield record.number, row, label

    def _parse(self, record: Record, columns: Columns) -> tuple[Any, Hashable]:
        fields = record.fields
        label: Hashable = None
        kinds = self._kinds
        if columns.answers and self.target_columns:
            numbers = tuple(parse_number(fields[name], name) for name in columns.answers)
            label = numbers if len(numbers) > 1 else numbers[0]
        elif columns.answers and self.marks:
            label = parse_marks({name: fields[name] for name in columns.answers})
        elif columns.answers:
            value = fields[columns.answers[0]]
            label = parse_labels(value, self.label_separator)
            kinds = self._check_kinds(value, label)
        if columns.row is not None:
            row = self._parse_row(fields[columns.row])
        else:
            row = self._parse_features({name: fields[name] for name in columns.features})
        width = len(row) if self.modality == "features" else 0
        if self._width not in (0, width):
            raise ValueError(f"{width} features, the first row has {self._width}")
        self._width, self._kinds = width, kinds
        return row, label

    def _parse_row(self, value: Any) -> Any:
        if self.modality == "text":
            return parse_text(value)
        if self.modality == "image":
            return parse_image(value, self.folder)
        return parse_features(value)

    def _parse_features(self, cells: Mapping[str, Any]) -> Any:
        try:
            return self._parse_row(list(cells.values()))
        except ValueError:
            for name, cell in cells.items():
                if is_missing(cell):
                    raise ValueError(
                        f"the cell of column {name!r} is empty; fill it in or leave the row out"
                    ) from None
            raise

    def _check_kinds(self, value: Any, label: Hashable) -> dict[str, str]:
        """Check that a label is of a kind that goes with those before it, and return all kinds."""
        kinds = dict(self._kinds)
        several = isinstance(label, frozenset)
        first = kinds.setdefault("rows", "a list of labels" if several else "one label")
        if first != ("a list of labels" if several else "one label"):
            raise ValueError(
                f"the label is {value!r}, but the first row has {first}; write a list for every "
                "row, [] where it has no label"
            )
        if isinstance(label, frozenset):
            texts = {isinstance(one, str): one for one in label}
            return kinds | {"read": label_kind(texts[False])} if False in texts else kinds
        if self.reader.typed:
            first = kinds.setdefault("written", label_kind(value))
            if first != label_kind(value):
                raise ValueError(
                    f"the label {value!r} is {label_kind(value)}, the first one is {first}; write "
                    "all labels alike"
                )
        if not isinstance(label, str):
            first = kinds.setdefault("read", label_kind(label))
            if first != label_kind(label):
                raise ValueError(
                    f"the label {value!r} is {label_kind(label)}, an earlier one is {first}; write "
                    "all labels alike"
                )
        return kinds


def _size_of(row: Any) -> int:
    """Return the bytes or characters of a row; a path takes none."""
    return (
        row.nbytes
        if isinstance(row, np.ndarray)
        else len(row)
        if isinstance(row, str | bytes)
        else 0
    )
