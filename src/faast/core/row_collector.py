"""Rows collected from a stream of blocks: their sample, and the rows for random features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from faast._utils.arrays import AnyArray
from faast.core.blocks import GridBlock
from faast.core.feature_rows import FeatureRows, FeatureRowStage
from faast.core.grid import BLOCK_ROWS
from faast.core.moments import Moments
from faast.core.row_hashes import Threshold, hash_rows
from faast.core.row_weights import ROUNDING
from faast.core.sample import EVERY_ROW, RowSample
from faast.core.sorted_rows import count_enough


class RowCollector:
    """Collects all rows of a stream while they fit; then samples, of rows and for features.

    Parameters
    ----------
    like : Moments
        Supplies the widths and the type of the rows.
    capacity : int
        Largest number of distinct rows to keep.
    threshold : Threshold
        Rows at or above it are dropped.
    maps : bool
        Whether rows for random features are kept too, once the sample does not hold all rows.
    mapped_threshold : Threshold
        Rows for random features at or above it are dropped.

    Notes
    -----
    A row is copied once, and only if its hash is among the lowest so far. It takes the place of a
    row whose hash no longer is: fresh memory costs more than the copy.
    """

    def __init__(
        self,
        like: Moments,
        capacity: int,
        threshold: Threshold,
        maps: bool,
        mapped_threshold: Threshold,
    ) -> None:
        empty = RowSample.empty(like.n_features, like.n_values, capacity, threshold)
        dtype = np.float64 if like.grid is None else np.int32
        self._columns: tuple[AnyArray, ...] = (
            empty.keys.astype(dtype),
            empty.values.astype(dtype),
            empty.weights,
            empty.hashes,
        )
        self._n_rows = 0
        self._capacity, self._threshold = capacity, empty.threshold
        self._holds_all = empty.complete
        self._highest = np.uint64(empty.threshold.hash)
        self._maps, self._mapped_threshold = maps, mapped_threshold
        self._mapped: FeatureRowStage | None = None

    def visit(self, part: Moments, block: GridBlock) -> None:
        """Take a block of rows on the grid of `part`."""
        if not self._highest:
            return  # no row is kept
        hashes = hash_rows(block.keys)
        weights = np.ones(len(hashes)) if block.weights is None else block.weights
        low = np.flatnonzero(hashes <= self._highest)
        room = min(block.batch_rows, self._crowd + BLOCK_ROWS)
        n_before = self._n_rows
        self._put(room, block.keys[low], block.values[low], weights[low], hashes[low])
        is_full = n_before < self._n_rows > self._crowd and self._lower()
        if not self._holds_all:
            self._map(part, block.keys, block.values, weights, hashes)
        elif is_full:
            self._begin_sampling(part)
        if self._n_rows > 2 * self._capacity:
            self._settle(part)

    @property
    def _crowd(self) -> int:
        """Rows beyond which it is worth finding out which are not needed."""
        return self._capacity + self._capacity // 4

    def finish(self, part: Moments) -> tuple[RowSample, FeatureRows | None]:
        """Return the sample, and the rows for random features if there are any beside it."""
        sample = self._sample(part)
        if not self._maps or self._holds_all:
            return sample, None
        return sample, replace(self._stage(part).finish(), like=part)

    def _put(self, room: int, *rows: AnyArray) -> None:
        """Copy rows to free places and behind the last row; make room, for `room` rows at least."""
        free = np.zeros(0, np.intp)
        if not self._holds_all:
            held = self._columns[-1][: self._n_rows]
            free = np.flatnonzero(held > self._highest)[: len(rows[-1])]
        fresh = np.arange(self._n_rows, self._n_rows + len(rows[-1]) - len(free))
        places = np.concatenate([free, fresh])
        self._n_rows += len(fresh)
        size = len(self._columns[-1])
        if self._n_rows > size:
            size = max(self._n_rows, room, 2 * size)
            self._columns = tuple(_enlarged(column, size) for column in self._columns)
        for column, part in zip(self._columns, rows, strict=True):
            column[places] = part

    def _lower(self) -> bool:
        """Lower the highest hash that is kept; return whether more rows came than are kept."""
        _, _, weights, hashes = (column[: self._n_rows] for column in self._columns)
        lowest = np.sort(hashes[weights > ROUNDING])
        n_enough = count_enough(lowest, self._capacity)
        if n_enough == len(lowest):
            return False
        self._highest = lowest[n_enough - 1]
        return True

    def _begin_sampling(self, part: Moments) -> None:
        """From the next block on, not all rows are held any more."""
        self._holds_all = False
        self._map(part, *(column[: self._n_rows] for column in self._columns))

    def _map(self, part: Moments, *rows: AnyArray) -> None:
        """Take rows for random features."""
        if self._maps:
            self._stage(part).add(*rows)

    def _stage(self, part: Moments) -> FeatureRowStage:
        if self._mapped is None:
            every = self._capacity == EVERY_ROW
            empty = FeatureRows.empty(part, self._mapped_threshold, every=every)
            self._mapped = FeatureRowStage(empty)
        return self._mapped

    def _sample(self, part: Moments) -> RowSample:
        """Sample the rows that are held."""
        keys, values, weights, hashes = (column[: self._n_rows] for column in self._columns)
        sample = RowSample(keys, values, weights, self._capacity, self._threshold, hashes)
        if self._holds_all and not sample.complete:
            self._begin_sampling(part)
        return sample

    def _settle(self, part: Moments) -> None:
        """Make one row of equal rows, which take room although they do not count as several."""
        sample = self._sample(part)
        self._n_rows, self._threshold = len(sample), sample.threshold
        settled = sample.keys, sample.values, sample.weights, sample.hashes
        for column, rows in zip(self._columns, settled, strict=True):
            column[: len(sample)] = rows


def _enlarged(column: AnyArray, size: int) -> AnyArray:
    larger = np.empty((size, *column.shape[1:]), column.dtype)
    larger[: len(column)] = column
    return larger
