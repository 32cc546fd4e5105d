"""Rows cut into parts, by their place in the data alone.

Windows of `WINDOW_ROWS` rows are encoded together, and a part is a number of whole windows: which
rows share a window depends on neither the number of workers nor on who gets which part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from faast.data import Batch
from faast.encoders.base import WINDOW_ROWS

PART_ROWS = 16 * WINDOW_ROWS
"""Large enough that encoding takes much longer than merging what it has left."""


@dataclass(frozen=True)
class Part:
    """Neighbouring windows.

    Attributes
    ----------
    index : int
        Its place among the parts, from 0.
    batches : iterable of Batch
        Its windows; they may be read where the part is learned.
    """

    index: int
    batches: Iterable[Batch]


def windows_in(part_rows: int) -> int:
    """Return the number of windows of a part.

    Raises
    ------
    ValueError
        Parts would not consist of whole windows.
    """
    if part_rows < 1 or part_rows % WINDOW_ROWS:
        raise ValueError(
            f"part_rows must be a multiple of {WINDOW_ROWS}, the rows that are encoded together, "
            f"got {part_rows}"
        )
    return part_rows // WINDOW_ROWS


def cut(batches: Iterable[Batch], part_rows: int) -> Iterator[Part]:
    """Cut windows that are read here into parts."""
    windows, n_windows = iter(batches), windows_in(part_rows)
    index = 0
    while part := list(islice(windows, n_windows)):
        yield Part(index, [_absolute(batch) for batch in part])
        index += 1


def _absolute(batch: Batch) -> Batch:
    """Name files in full: workers may be at home in another folder."""
    rows = [row.resolve() if isinstance(row, Path) else row for row in batch.rows]
    return batch._replace(rows=rows)
