"""Tables that are already in memory: data frames, and lists of dictionaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from faast.data.columns import check_names
from faast.data.reader import Choose, DataError, Reader, Record, RowError


class FrameReader(Reader):
    """Read a pandas or polars DataFrame; rows are counted from 0. Its index is no column.

    Parameters
    ----------
    frame : DataFrame
    """

    def __init__(self, frame: Any) -> None:
        super().__init__("the data frame")
        self.frame = frame

    def records(self, choose: Choose) -> Iterator[Record]:
        """See `Reader.records`."""
        names = list(self.frame.columns)
        unnamed = [name for name in names if not isinstance(name, str)]
        if unnamed:
            raise DataError(
                f"columns of {self.name} are not named by strings but {unnamed[:5]!r}; name them"
            )
        check_names(names, self.name)
        wanted = list(choose(names))
        columns = [_values(self.frame[name]) for name in wanted]
        for number, values in enumerate(zip(*columns, strict=True)):
            yield Record(number, dict(zip(wanted, values, strict=True)))


class RecordsReader(Reader):
    """Read a list of dictionaries, one per row; rows are counted from 0.

    Parameters
    ----------
    rows : sequence of mappings of column name to value
        A column that a row lacks is missing there.
    """

    def __init__(self, rows: Sequence[Any]) -> None:
        super().__init__("the list of rows")
        self.rows = rows

    def records(self, choose: Choose) -> Iterator[Record | RowError]:
        """See `Reader.records`."""
        given = (name for row in self.rows if isinstance(row, Mapping) for name in row)
        wanted = choose(list(dict.fromkeys(map(str, given))))
        for number, row in enumerate(self.rows):
            if isinstance(row, Mapping):
                yield Record(number, {name: row.get(name) for name in wanted})
            else:
                yield RowError(number, f"expected a dictionary, got {type(row).__name__}")


def _values(column: Any) -> list[Any]:
    """Return the values of a column as Python objects, None where they are missing."""
    values: list[Any] = column.to_list()
    missing = column.isna().to_list() if hasattr(column, "isna") else [False] * len(values)
    return [None if gone else value for value, gone in zip(values, missing, strict=True)]
