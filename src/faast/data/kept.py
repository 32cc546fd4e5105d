"""Columns of a file that are kept beside the rows, to be written with the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from faast.data.reader import Choose, LeftOut, Reader, Record, RowError


class KeepingReader(Reader):
    """Reads all columns in place of those that are needed, and remembers their values.

    Columns that hold images as bytes, lists or arrays are not kept. A value that a row lacks is
    kept as None.

    Parameters
    ----------
    reader : Reader
    """

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader.name)
        self._reader = reader
        self._kept: dict[int, Mapping[str, Any]] = {}
        self._names: list[str] = []
        # what differs from class to class, as this reader stands for another
        self.unit, self.modality, self.typed = reader.unit, reader.modality, reader.typed  # type: ignore[misc]

    @property
    def fraction(self) -> float | None:
        """See `Reader.fraction`."""
        return self._reader.fraction

    def index_columns(self, names: Sequence[str]) -> frozenset[str]:
        """See `Reader.index_columns`."""
        return self._reader.index_columns(names)

    def records(self, choose: Choose) -> Iterator[Record | RowError | LeftOut]:
        """See `Reader.records`; the records hold all columns."""

        def choose_all(present: Sequence[str]) -> Sequence[str]:
            self._reader.needed = choose(present)
            return present

        self._kept, self._names = {}, []
        for record in self._reader.records(choose_all):
            if isinstance(record, Record):
                self._kept[record.number] = record.fields
                if len(self._kept) == 1 and not self._names:
                    self._names = [n for n, value in record.fields.items() if _is_plain(value)]
            yield record

    def take(self, numbers: Sequence[int]) -> dict[str, list[Any]]:
        """Return the kept columns of rows that were read, and forget all rows read so far."""
        rows = [self._kept[number] for number in numbers]
        self._kept = {number: f for number, f in self._kept.items() if number > numbers[-1]}
        return {name: [_plain(row[name]) for row in rows] for name in self._names}


def _is_plain(value: Any) -> bool:
    return not isinstance(value, bytes | Mapping | list | np.ndarray)


def _plain(value: Any) -> Any:
    """Return a value as CSV and JSON can hold it."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
