"""Blocks of rows that stay in cache."""

from __future__ import annotations

from collections.abc import Iterator

BLOCK_ENTRIES = 2**17
"""Entries of a block: half a megabyte of float32."""

FEWEST_ROWS = 64
"""Products of fewer rows are slow."""


def row_blocks(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Cut rows of an array with this many columns into blocks of about `BLOCK_ENTRIES`."""
    step = max(BLOCK_ENTRIES // max(n_columns, 1), FEWEST_ROWS)
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))
