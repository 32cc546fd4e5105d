"""Read records, the named fields of one row each, from a file, a folder or a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from faast.data import DataError, open_reader
from faast.data.reader import Choose, LeftOut, RowError

Fields = Mapping[str, Any]
"""Values of one record by column name."""


class RecordSource:
    """Iterate over the records of a source, reading them as they are needed.

    Every iteration reads from the beginning.

    Parameters
    ----------
    source : path, "-" or Hugging Face dataset
        A table (.csv, .tsv, .jsonl, .parquet), the folder of a saved dataset, standard input
        ("-"), or a dataset in memory.
    choose : sequence of str, or callable
        Columns to read, or a function that gets the columns of the source and returns those to
        read.
    format, split : str, optional
        See `faast.data.open_rows`.

    Raises
    ------
    DataError
        If the source does not exist; while iterating, if a column is missing, if a record cannot
        be read, or if there are no records.
    """

    def __init__(
        self,
        source: Any,
        choose: Sequence[str] | Choose,
        *,
        format: str | None = None,
        split: str | None = None,
    ) -> None:
        self._reader = open_reader(source, format=format, split=split)
        self._choose = choose
        self._number = 0

    @property
    def fraction(self) -> float | None:
        """Share of the source read by the latest iteration, 0 to 1; None if it is not known."""
        return self._reader.fraction

    @property
    def location(self) -> str:
        """Where the latest record is, for error messages: ``"reviews.csv, line 3"``."""
        return f"{self._reader.name}, {self._reader.unit} {self._number}"

    def __iter__(self) -> Iterator[Fields]:
        empty = True
        for record in self._reader.records(self._choose_columns):
            if isinstance(record, LeftOut):
                continue
            self._number = record.number
            if isinstance(record, RowError):
                raise DataError(f"{self.location}: {record.reason}")
            empty = False
            yield record.fields
        if empty:
            raise DataError(f"{self._reader.name} holds no records")

    def _choose_columns(self, present: Sequence[str]) -> Sequence[str]:
        wanted = self._choose(present) if callable(self._choose) else self._choose
        missing = [column for column in wanted if column not in present]
        if missing:
            raise DataError(
                f"{self._reader.name} has no column {missing[0]!r}; its columns are "
                f"{', '.join(present)}"
            )
        return wanted
