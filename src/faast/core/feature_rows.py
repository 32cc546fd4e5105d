"""Rows whose random features are learned: whole while they are few, then a sample of them in bytes.

Random features are summed when they are solved for. Rows take less room than those sums, and rows
whose classes turn out to be linear never pay for them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.core.feature_sums import sum_features
from faast.core.moments import Moments
from faast.core.random_features import RandomFeatures, columns_for, narrow_rows
from faast.core.row_hashes import NO_THRESHOLD, Threshold
from faast.core.sample import EVERY_ROW, RowSample
from faast.core.state import State

WHOLE_ROWS = 12_288
"""While this many rows are enough, they are kept whole, and the sample of rows can be redrawn."""

NARROW_ROWS, NARROW_BYTES = 2**16, 2**25
"""More rows are rounded to bytes; at most so many are kept, of at most so many bytes."""


def room_for(n_features: int) -> int:
    """Return how many rounded rows of this width are kept, at least `WHOLE_ROWS`."""
    return min(NARROW_ROWS, NARROW_BYTES // n_features)


def classes_of(values: AnyArray) -> IntArray:
    """Return the places of the ones in one-hot values (n, C), shape (n, 1)."""
    return values.argmax(axis=1)[:, None].astype(np.int32)


@dataclass(frozen=True, eq=False)
class FeatureRows:
    """A multiset of rows of classes, from which random features are summed; never changed in place.

    Up to `WHOLE_ROWS` distinct rows are kept as they are. Of more rows, only what random features
    depend on is kept (`narrow_rows`); and of more than `room_for` of them, a sample. Like
    any `RowSample`, it depends on what was learned and not on its order.

    Attributes
    ----------
    like : Moments
        Moments of all rows; supplies the grid and the widths.
    rows : RowSample
        Keys in grid units (int32), or rounded (int8); values are indices of classes, (n, 1).
    """

    like: Moments
    rows: RowSample

    @classmethod
    def empty(
        cls, like: Moments, threshold: Threshold = NO_THRESHOLD, *, every: bool = False
    ) -> FeatureRows:
        """Return no rows yet, with room for every one or for `room_for` of them."""
        capacity = EVERY_ROW if every else room_for(like.n_features)
        return cls(like, RowSample.empty(like.n_features, 1, capacity, threshold))

    @classmethod
    def of(cls, like: Moments, rows: RowSample) -> FeatureRows:
        """Take all rows of a sample, whose values are one-hot."""
        return cls.empty(like).add(rows.keys, classes_of(rows.values), rows.weights, rows.hashes)

    @property
    def is_whole(self) -> bool:
        """Whether all rows are kept as they are."""
        return self.rows.keys.dtype != np.int8

    def add(
        self, keys: AnyArray, classes: AnyArray, weights: FloatArray, hashes: AnyArray
    ) -> FeatureRows:
        """Return these rows and more: keys (n, d), int32 in grid units or int8; classes (n, 1)."""
        more = RowSample(keys, classes, weights, self.rows.capacity, self.rows.threshold, hashes)
        return self.merge(replace(self, rows=more), self.like)

    def merge(self, other: FeatureRows, like: Moments) -> FeatureRows:
        """Return the rows of both, on the grid of `like`."""
        mine, theirs = self._alike(other)
        both = FeatureRows(like, mine.rows.merge(theirs.rows))
        return both if len(both.rows) <= WHOLE_ROWS else both.narrowed()

    def unmerge(self, other: FeatureRows, like: Moments) -> FeatureRows:
        """Return the rows without those of `other`, on the grid of `like`.

        Raises
        ------
        ValueError
            If `other` holds rows that were not learned here, as far as the kept rows can tell.
        """
        if self.is_whole and not other.is_whole:
            raise ValueError("rows to forget were never all learned: fewer rows are held")
        mine, theirs = self._alike(other)
        return FeatureRows(like, mine.rows.unmerge(theirs.rows))

    def every_row(self) -> RowSample | None:
        """Return all rows with one-hot values if they are kept whole, else None."""
        if not self.is_whole:
            return None
        one_hot = np.eye(self.like.n_values, dtype=np.int32)[self.rows.values[:, 0]]
        rows = self.rows
        return RowSample(rows.keys, one_hot, rows.weights, EVERY_ROW, hashes=rows.hashes)

    def narrowed(self) -> FeatureRows:
        """Return the same rows rounded to bytes."""
        if not self.is_whole:
            return self
        narrow = narrow_rows(self.rows.keys, self.like.key_grid)
        return replace(self, rows=self.rows.with_keys(narrow))

    def sum_features(self) -> tuple[RandomFeatures, Moments]:
        """Choose as many random features as the number of rows allows, and sum them."""
        rows, grid = self.narrowed().rows, self.like.key_grid
        width = columns_for(float(rows.weights.sum()), self.like.n_features)
        features = RandomFeatures.of(rows.keys, rows.weights, grid, width)
        classes, n_classes = rows.values[:, 0], self.like.n_values
        return features, sum_features(features, rows.keys, classes, rows.weights, n_classes)

    def select_outputs(self, columns: AnyArray) -> FeatureRows:
        """Rearrange the classes; see `Moments.select_outputs`."""
        like = self.like.copy().select_outputs(columns)
        places = np.full(self.like.n_values, -1)
        places[columns[columns >= 0]] = np.flatnonzero(columns >= 0)
        return FeatureRows(like, self._with_classes(places))

    def sum_outputs(self, groups: AnyArray) -> FeatureRows:
        """Make one of several classes; see `Moments.sum_outputs`."""
        return FeatureRows(self.like.copy().sum_outputs(groups), self._with_classes(groups))

    def decay(self, factor: float, like: Moments) -> FeatureRows:
        """Return the rows with all weights multiplied by a factor in (0, 1]."""
        return FeatureRows(like, self.rows.decay(factor))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.rows.nbytes

    def to_state(self) -> State:
        """Return the content to write."""
        return self.rows.to_state()

    @classmethod
    def from_state(cls, state: State, like: Moments) -> FeatureRows:
        """Rebuild; `like` as for the class.

        Raises
        ------
        ValueError
            If rows do not have the width of `like`, its classes, or at most its number of rows.
        """
        rows = RowSample.from_state(state)
        rows.require_widths(like.n_features, 1)
        classes = rows.values
        if rows.capacity != room_for(like.n_features) or rows.keys.dtype.kind != "i":
            raise ValueError("rows for random features have another capacity or are not rounded")
        if classes.dtype.kind != "i" or np.any((classes < 0) | (classes >= like.n_values)):
            raise ValueError("rows for random features have classes that are not those of the rows")
        found = cls(like, rows)
        if found.is_whole and len(rows) > WHOLE_ROWS:
            raise ValueError(f"rows for random features are rounded if more than {WHOLE_ROWS}")
        return found

    def _alike(self, other: FeatureRows) -> tuple[FeatureRows, FeatureRows]:
        """Return both, rounded if one of them is."""
        if self.is_whole and other.is_whole:
            return self, other
        return self.narrowed(), other.narrowed()

    def _with_classes(self, places: AnyArray) -> RowSample:
        return self.rows.with_values(places[self.rows.values].astype(np.int32))


class FeatureRowStage:
    """Collects the blocks of a stream, and joins them when they are as many as are kept."""

    def __init__(self, kept: FeatureRows) -> None:
        self.kept = kept
        self._blocks: list[tuple[AnyArray, AnyArray, FloatArray, AnyArray]] = []
        self._n_staged = 0

    def add(self, keys: AnyArray, values: AnyArray, weights: FloatArray, hashes: AnyArray) -> None:
        """Take rows: keys (n, d) in grid units, values (n, C) one-hot."""
        below = np.flatnonzero(hashes <= np.uint64(self.kept.rows.threshold.hash))
        keys, grid = keys[below], self.kept.like.key_grid
        keys = keys.astype(np.int32) if self.kept.is_whole else narrow_rows(keys, grid)
        self._blocks.append((keys, classes_of(values[below]), weights[below], hashes[below]))
        self._n_staged += len(below)
        if self._n_staged > (WHOLE_ROWS if self.kept.is_whole else self.kept.rows.capacity):
            self.finish()

    def finish(self) -> FeatureRows:
        """Return all rows so far."""
        if self._blocks:
            blocks, self._blocks, self._n_staged = self._blocks, [], 0
            self.kept = self.kept.add(*(np.concatenate(part) for part in zip(*blocks, strict=True)))
        return self.kept
