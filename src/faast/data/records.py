"""Records: named fields of one row, from files, folders or `datasets` objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from faast.data import DataError, open_reader
from faast.data.reader import Choose, RowError

Fields = Mapping[str, Any]


class RecordSource:
    """Records of a source, read as they are needed.

    Parameters
    ----------
    source : path, "-" or Hugging Face dataset
        A table (.csv, .tsv, .jsonl, .parquet), a folder that a dataset was saved to, or a dataset.
    choose : sequence of str, or callable
        The columns to read; or what takes those that there are and returns those to read.
    format, split : str, optional
        See `faast.data.open_rows`.

    Attributes
    ----------
    fraction : float or None
        How much has been read, 0 to 1, where that is known.

    Raises
    ------
    DataError
        No such source, here; a missing column or an unreadable record, while iterating.
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
        """How much has been read."""
        return self._reader.fraction

    @property
    def place(self) -> str:
        """Where the latest record stands, as error messages say it."""
        return f"{self._reader.name}, {self._reader.unit} {self._number}"

    def __iter__(self) -> Iterator[Fields]:
        found = False
        for record in self._reader.records(self._columns):
            self._number = record.number
            if isinstance(record, RowError):
                raise DataError(f"{self.place}: {record.reason}")
            found = True
            yield record.fields
        if not found:
            raise DataError(f"{self._reader.name} holds no records")

    def _columns(self, present: Sequence[str]) -> Sequence[str]:
        wanted = self._choose(present) if callable(self._choose) else self._choose
        missing = [column for column in wanted if column not in present]
        if missing:
            raise DataError(
                f"{self._reader.name} has no column {missing[0]!r}; its columns are "
                f"{', '.join(present)}"
            )
        return wanted
