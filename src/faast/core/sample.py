"""Row samples: a mergeable sample of learned rows that does not depend on their order.

Rows are a multiset of (key, value) pairs in grid units, sorted by a hash of the key, so that
nothing depends on the order of arrival. Up to `capacity` distinct rows are all kept. Beyond that
the sample is every learned row whose hash lies below a threshold, which is lowered so that at most
`capacity` rows stay (bottom-k sampling). Collisions of this fast hash are easy to construct; rows
of equal hash are ordered by a second, cryptographic hash, so that the sample keeps its size
whatever rows are learned.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.row_hashes import NO_THRESHOLD, Threshold, hash_rows
from faast.core.row_weights import ROUNDING
from faast.core.sorted_rows import SortedRows, count_enough
from faast.core.state import State
from faast.core.sums import select_columns, sum_columns

EVERY_ROW = 2**62
"""A capacity that no number of rows exceeds."""

LARGEST_GRID_ENTRY = 2.0**27
"""In grid units; `Grid.round` refuses larger entries."""


class RowArrays(NamedTuple):
    """Rows in the units of the caller.

    Attributes
    ----------
    keys : ndarray of shape (n, d)
    values : ndarray of shape (n, m)
    weights : ndarray of shape (n,)
    """

    keys: FloatArray
    values: FloatArray
    weights: FloatArray


class RowSample:
    """Immutable multiset of rows in grid units; combining returns a new one.

    Parameters
    ----------
    keys : ndarray of shape (n, d)
    values : ndarray of shape (n, m)
    weights : ndarray of shape (n,), float64
    capacity : int
        Largest number of distinct rows to keep.
    threshold : Threshold
        Rows at or above it are dropped.
    hashes : ndarray of shape (n,), uint64, optional
        `hash_rows` of the keys; computed if not given.

    Raises
    ------
    ValueError
        If the weights of equal rows sum to less than zero.
    """

    def __init__(
        self,
        keys: AnyArray,
        values: AnyArray,
        weights: FloatArray,
        capacity: int,
        threshold: Threshold = NO_THRESHOLD,
        hashes: AnyArray | None = None,
    ) -> None:
        hashes = hash_rows(keys) if hashes is None else hashes
        order = np.flatnonzero(hashes <= np.uint64(threshold.hash))
        order = order[np.argsort(hashes[order], kind="stable")]
        if np.all(weights > ROUNDING):  # nothing is removed: the lowest hashes suffice
            order = order[: count_enough(hashes[order], capacity)]
        rows = SortedRows(keys, values, weights, hashes).take(order)
        rows = rows.sort_ties().below(threshold).merge_equal()
        if len(rows.keys) > capacity:
            threshold = rows.threshold_at(capacity)
            rows = rows.below(threshold)
        self.capacity, self.threshold, self.hashes = capacity, threshold, rows.hashes
        self.keys, self.values, self.weights = (
            _compact(rows.keys),
            _compact(rows.values),
            rows.weights,
        )

    @classmethod
    def empty(
        cls, n_features: int, n_values: int, capacity: int, threshold: Threshold = NO_THRESHOLD
    ) -> RowSample:
        """Return the empty multiset."""
        threshold = threshold if capacity else Threshold(0, 0)
        keys, values = np.zeros((0, n_features), np.int32), np.zeros((0, n_values), np.int32)
        return cls(keys, values, np.zeros(0), capacity, threshold)

    @classmethod
    def reweighted(
        cls, keys: AnyArray, values: AnyArray, weights: FloatArray, hashes: AnyArray
    ) -> RowSample:
        """Wrap rows with changed weights, marked as a sample: `complete` is False.

        The hashes, by which rows stay sorted, are those of the rows in grid units.
        """
        return cls(keys, values, weights, len(keys), Threshold(2**64 - 2, 0), hashes)

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def complete(self) -> bool:
        """Whether the sample holds every learned row."""
        return self.threshold == NO_THRESHOLD

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(tensor.nbytes for tensor in self.to_state().tensors.values())

    def samples(self, hashes: AnyArray) -> AnyArray:
        """Tell which learned rows are sampled, bool (n,), from the hashes (n,) of their keys."""
        return self.complete | (hashes < np.uint64(self.threshold.hash))

    def merge(self, other: RowSample) -> RowSample:
        """Return the multiset union."""
        for some, none in ((self, other), (other, self)):
            covers = none.capacity >= some.capacity and none.threshold >= some.threshold
            if covers and not len(none):
                return some
        return self._join(
            other, 1.0, min(self.capacity, other.capacity), min(self.threshold, other.threshold)
        )

    def unmerge(self, other: RowSample) -> RowSample:
        """Return the multiset difference; the threshold of `other` must not be the lower one.

        Raises
        ------
        ValueError
            If a row of `other` below the threshold is missing here: it was never learned.
        """
        return self._join(other, -1.0, self.capacity, self.threshold)

    def _join(
        self, other: RowSample, sign: float, capacity: int, threshold: Threshold
    ) -> RowSample:
        """Return the sample of both, the weights of `other` multiplied by the sign."""
        places = np.searchsorted(self.hashes, other.hashes, side="right")
        return RowSample(
            _insert(self.keys, places, other.keys),
            _insert(self.values, places, other.values),
            _insert(self.weights, places, sign * other.weights),
            capacity,
            threshold,
            _insert(self.hashes, places, other.hashes),
        )

    def limit(self, capacity: int) -> RowSample:
        """Return the sample of the same rows with another capacity."""
        return RowSample(
            self.keys, self.values, self.weights, capacity, self.threshold, self.hashes
        )

    def decay(self, factor: float) -> RowSample:
        """Return the multiset with every weight multiplied by a factor."""
        weights = self.weights * factor
        return RowSample(
            self.keys, self.values, weights, self.capacity, self.threshold, self.hashes
        )

    def select_outputs(self, columns: AnyArray) -> RowSample:
        """Rearrange the columns of values; -1 stands for a column of zeros."""
        return self.with_values(select_columns(self.values, columns))

    def sum_outputs(self, groups: AnyArray) -> RowSample:
        """Add up columns of values; see `Moments.sum_outputs`."""
        return self.with_values(sum_columns(self.values, groups))

    def with_values(self, values: AnyArray) -> RowSample:
        """Return the rows with other values, (n, ...); rows that become equal are one."""
        return RowSample(
            self.keys, values, self.weights, self.capacity, self.threshold, self.hashes
        )

    def with_keys(self, keys: AnyArray) -> RowSample:
        """Return the rows with other keys, (n, ...), under the hashes of their own."""
        return RowSample(
            keys, self.values, self.weights, self.capacity, self.threshold, self.hashes
        )

    def to_state(self) -> State:
        """Return the content to write, with the hashes if keys are rounded to bytes."""
        tensors = {"keys": self.keys, "values": self.values, "weights": self.weights}
        if self.keys.dtype == np.int8:
            tensors["hashes"] = self.hashes
        return State(tensors, {"capacity": self.capacity, "threshold": list(self.threshold)})

    @classmethod
    def from_state(cls, state: State) -> RowSample:
        """Rebuild the sample.

        Raises
        ------
        ValueError
            If arrays do not fit each other, rows repeat, or rows lie beyond the threshold.
        """
        keys, values, weights = (state.tensors[name] for name in ("keys", "values", "weights"))
        hashes = state.tensors["hashes"] if keys.dtype == np.int8 else None
        capacity, threshold = state.metadata["capacity"], state.metadata["threshold"]
        if not _fit(keys, values, weights, hashes):
            raise ValueError("keys, values and weights of a row sample do not fit each other")
        numbers = [capacity, *threshold] if isinstance(threshold, list) else []
        if len(numbers) != 3 or any(type(n) is not int or not 0 <= n < 2**64 for n in numbers):
            raise ValueError("a row sample needs a capacity and a threshold of two hashes")
        sample = cls(keys, values, weights, capacity, Threshold(*threshold), hashes)
        if len(sample) != len(keys):
            raise ValueError("a row sample holds equal rows, or rows beyond its threshold")
        return sample

    def require_widths(self, n_features: int, n_values: int) -> None:
        """Raise ValueError if keys or values have other widths."""
        if (self.keys.shape[1], self.values.shape[1]) != (n_features, n_values):
            raise ValueError("the rows of a sample do not have the width of their moments")


def _insert(rows: AnyArray, places: AnyArray, others: AnyArray) -> AnyArray:
    """Insert rows before these places of others, which copies each row once."""
    common = np.result_type(rows, others)
    return np.insert(rows.astype(common, copy=False), places, others, axis=0)


def _fit(keys: AnyArray, values: AnyArray, weights: FloatArray, hashes: AnyArray | None) -> bool:
    if not (keys.ndim == values.ndim == 2 and len(keys) == len(values) and weights.dtype == float):
        return False
    if weights.shape != keys.shape[:1] or not np.all(weights > ROUNDING):
        return False
    if hashes is not None and (hashes.shape != weights.shape or hashes.dtype != np.uint64):
        return False
    for rows in (keys, values):
        if rows.dtype.name not in ("int8", "int32", "float64"):
            return False
        if (
            rows.dtype.kind == "i"
            and rows.size
            and np.abs(rows, dtype=np.int64).max() > LARGEST_GRID_ENTRY
        ):
            return False
    return True


def _compact(rows: AnyArray) -> AnyArray:
    """Store grid rows as int32, other rows as they are."""
    if rows.dtype in (np.int8, np.int32):
        return rows
    with np.errstate(invalid="ignore"):
        as_int = rows.astype(np.int32, copy=False)
    return as_int if np.array_equal(as_int, rows) else rows
