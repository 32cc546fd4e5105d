"""Batches of rows and labels, streamed from any reader."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from faast.data.cells import label_kind, parse_features, parse_image, parse_label, parse_text
from faast.data.columns import Columns, choose_columns
from faast.data.reader import WINDOW_ROWS, DataError, Modality, Reader, Record, RowError

OnError = Literal["raise", "skip"]

MAX_MESSAGES = 20
"""Messages about skipped rows that are kept; all skipped rows are counted."""


class Batch(NamedTuple):
    """Rows that were read together.

    Attributes
    ----------
    rows : list
        Texts, images or arrays of features, as encoders and classifiers take them.
    labels : list of hashable, or None
        One label per row. None if no labels are read.
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
        Whether to read labels. If False, a label column is ignored.

    Attributes
    ----------
    skipped : int
        Number of rows that the latest iteration has left out.
    messages : list of str
        The reasons, for the first `MAX_MESSAGES` of these rows.
    feature_names : list of str, or None
        Columns of the features in the latest iteration. None before the first row, and where one
        column holds all features.

    Raises
    ------
    ValueError
        If `on_error` is neither "raise" nor "skip".
    DataError
        While iterating: if there are no rows, a column is missing, or a row cannot be read and is
        not to be skipped. Labels must be all strings, all numbers, or all true and false.
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
        self.feature_names: list[str] | None = None
        self._width, self._label_kind = 0, ""

    @property
    def name(self) -> str:
        """What error messages call the source."""
        return self.reader.name

    @property
    def fraction(self) -> float | None:
        """The part of the source that the latest iteration has read; see `Reader.fraction`."""
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
                )
            )
            self.feature_names = None
            if chosen[0].row is None:
                label = chosen[0].label
                self.feature_names = [column for column in chosen[0].wanted if column != label]
            return chosen[0].wanted

        for record in self.reader.records(choose):
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
        label = None if columns.label is None else parse_label(fields[columns.label])
        if columns.row is not None:
            row = self._parse_row(fields[columns.row])
        else:
            row = self._parse_row([v for name, v in fields.items() if name != columns.label])
        self._check_consistent(row, label)
        return row, label

    def _parse_row(self, value: Any) -> Any:
        if self.modality == "text":
            return parse_text(value)
        if self.modality == "image":
            return parse_image(value, self.folder)
        return parse_features(value)

    def _check_consistent(self, row: Any, label: Hashable) -> None:
        """Check that a row has as many features as the first one, and a label of the same kind."""
        width = len(row) if self.modality == "features" else 0
        if self._width not in (0, width):
            raise ValueError(f"{width} features, the first row has {self._width}")
        kind = "" if label is None else label_kind(label)
        if self._label_kind not in ("", kind):
            raise ValueError(
                f"the label {label!r} is {kind}, the first one is {self._label_kind}; write all "
                "labels alike"
            )
        self._width, self._label_kind = width, kind
