"""Rows on their way to be summed: block by block, rounded to the grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from faast._typing import FloatArray
from faast.grid import BLOCK_ROWS
from faast.grids import Grids
from faast.inputs import Batch, to_numpy


class GridBlock(NamedTuple):
    """Some neighbouring rows of a batch, in grid units; arrays are reused for the next block.

    Attributes
    ----------
    keys : ndarray of shape (n, d), float64
    values : ndarray of shape (n, m), float64
    weights : ndarray of shape (n,) or None
    peak : float
        No entry of keys or values exceeds it.
    grids : Grids
        What they were rounded to, decided.
    batch_rows : int
        Rows of the batch that it is part of.
    """

    keys: FloatArray
    values: FloatArray
    weights: FloatArray | None
    peak: float
    grids: Grids
    batch_rows: int


def grid_blocks(batches: Iterable[Batch], grids: Grids) -> Iterator[GridBlock]:
    """Round batches block by block; the first rows decide what is undecided of the grids.

    Raises
    ------
    ValueError
        A row holds NaN or inf or lies outside the grid.
    """
    keys, values = np.empty((0, 0)), np.empty((0, 0))
    for batch in batches:
        n_rows = int(batch.keys.shape[0])
        if not n_rows:
            continue
        grids = grids.settled(batch.keys, batch.values)
        assert grids.key is not None
        assert grids.value is not None
        keys = _room_for(min(BLOCK_ROWS, n_rows), batch.keys.shape[1], keys)
        values = _room_for(min(BLOCK_ROWS, n_rows), batch.values.shape[1], values)
        for start in range(0, n_rows, BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            raw_keys, raw_values = to_numpy(batch.keys[block]), to_numpy(batch.values[block])
            block_keys, block_values = keys[: len(raw_keys)], values[: len(raw_keys)]
            first_row = batch.first_row + start
            peak = max(
                grids.key.round(raw_keys, block_keys, "keys", first_row),
                grids.value.round(raw_values, block_values, "values", first_row),
            )
            weights = None if batch.weights is None else batch.weights[block]
            yield GridBlock(block_keys, block_values, weights, peak, grids, n_rows)


def _room_for(n_rows: int, width: int, buffer: FloatArray) -> FloatArray:
    return buffer if len(buffer) >= n_rows else np.empty((n_rows, width))
