"""Blocks of rows, rounded to the grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from faast._utils.arrays import FloatArray
from faast._utils.validation import Batch, to_numpy
from faast.core.grid import BLOCK_ROWS, GridPair


class GridBlock(NamedTuple):
    """Consecutive rows of a batch in grid units; the next block overwrites the arrays.

    Attributes
    ----------
    keys : ndarray of shape (n, d), float64
    values : ndarray of shape (n, m), float64
    weights : ndarray of shape (n,) or None
    peak : float
        Largest absolute entry of keys and values.
    grids : GridPair
        Grids that the rows were rounded to; both are chosen.
    batch_rows : int
        Number of rows of the batch that the block belongs to.
    """

    keys: FloatArray
    values: FloatArray
    weights: FloatArray | None
    peak: float
    grids: GridPair
    batch_rows: int


def grid_blocks(batches: Iterable[Batch], grids: GridPair) -> Iterator[GridBlock]:
    """Round batches block by block; the first rows choose the grids that are still None.

    Raises
    ------
    ValueError
        If a row holds NaN or inf or lies outside the grid.
    """
    keys, values = np.empty((0, 0)), np.empty((0, 0))
    for batch in batches:
        n_rows = int(batch.keys.shape[0])
        if not n_rows:
            continue
        grids = grids.resolve(batch.keys, batch.values)
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
