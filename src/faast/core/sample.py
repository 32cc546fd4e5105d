"""Kept rows: an order-free, mergeable sample of what was learned; all of it while it is small.

Rows are a multiset of (key, value) pairs in grid units, held in the order of a hash of the key, so
that nothing depends on the order of arrival. Up to `capacity` distinct rows all are kept. Past it
the sample is every learned row whose hash lies below a threshold, and the threshold sinks so that
at most
`capacity` rows stay (bottom-k sampling).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.hashing import hash64
from faast.core.persistence import State

EVERY_ROW = 2**62
"""A capacity that no rows exceed."""

OPEN_THRESHOLD = np.uint64(2**64 - 1)
"""Hashes are below it: nothing has been left out."""

ROUNDING = 1e-9
"""Weights this small are what rounding leaves of rows with real weights that were forgotten."""


class RowArrays(NamedTuple):
    """Kept rows in the units of the caller.

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
    """Immutable multiset of grid rows; combining returns a new one.

    Parameters
    ----------
    keys : ndarray of shape (n, d), float64
        In grid units.
    values : ndarray of shape (n, m), float64
        In grid units.
    weights : ndarray of shape (n,), float64
    capacity : int
        Most distinct rows kept.
    threshold : uint64
        Only rows whose hash is below it are in the sample.
    hashes : ndarray of shape (n,), uint64, optional
        `hash_rows` of the keys, where it is known.
    """

    def __init__(
        self,
        keys: AnyArray,
        values: AnyArray,
        weights: FloatArray,
        capacity: int,
        threshold: np.uint64 = OPEN_THRESHOLD,
        hashes: AnyArray | None = None,
    ) -> None:
        hashes = hash_rows(keys) if hashes is None else hashes
        order = np.flatnonzero(hashes < threshold)
        order = order[np.argsort(hashes[order], kind="stable")]
        if np.all(weights > ROUNDING):  # then no row takes another back, and the lowest suffice
            threshold = min(threshold, _threshold_for(hashes[order], capacity))
            order = order[: np.searchsorted(hashes[order], threshold)]
        keys, values, weights, hashes = keys[order], values[order], weights[order], hashes[order]
        keys, values, weights, hashes = _merge_repeated(keys, values, weights, hashes)
        if len(keys) > capacity:
            threshold = hashes[capacity]
            n_kept = int(np.searchsorted(hashes, threshold))
            keys, values, weights = keys[:n_kept], values[:n_kept], weights[:n_kept]
            hashes = hashes[:n_kept]
        self.capacity, self.threshold, self.hashes = capacity, threshold, hashes
        self.keys, self.values, self.weights = _compact(keys), _compact(values), weights

    @classmethod
    def none(
        cls, n_features: int, n_values: int, capacity: int, threshold: np.uint64 = OPEN_THRESHOLD
    ) -> RowSample:
        """Return the empty multiset."""
        threshold = threshold if capacity else np.uint64(0)
        return cls(
            np.zeros((0, n_features)), np.zeros((0, n_values)), np.zeros(0), capacity, threshold
        )

    @classmethod
    def sample(cls, keys: AnyArray, values: AnyArray, weights: FloatArray) -> RowSample:
        """Wrap rows that stand for more than they are."""
        return cls(keys, values, weights, len(keys), OPEN_THRESHOLD - np.uint64(1))

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def complete(self) -> bool:
        """Whether every learned row is kept (and none was ever left out)."""
        return bool(self.threshold == OPEN_THRESHOLD)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.keys.nbytes + self.values.nbytes + self.weights.nbytes

    def plus(self, other: RowSample) -> RowSample:
        """Return the multiset union."""
        parts = (self, other)
        return RowSample(
            np.concatenate([part.keys for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.weights for part in parts]),
            min(part.capacity for part in parts),
            min(part.threshold for part in parts),
            np.concatenate([part.hashes for part in parts]),
        )

    def minus(self, other: RowSample) -> RowSample:
        """Return the multiset difference; `other` is sampled with this threshold or a higher one.

        Raises
        ------
        ValueError
            A row of `other` that should be here is not: it was never learned.
        """
        return RowSample(
            np.concatenate([self.keys, other.keys]),
            np.concatenate([self.values, other.values]),
            np.concatenate([self.weights, -other.weights]),
            self.capacity,
            self.threshold,
            np.concatenate([self.hashes, other.hashes]),
        )

    def limited(self, capacity: int) -> RowSample:
        """Return the multiset with another capacity."""
        return RowSample(
            self.keys, self.values, self.weights, capacity, self.threshold, self.hashes
        )

    def scaled(self, factor: float) -> RowSample:
        """Return the multiset with every weight multiplied by a factor."""
        weights = self.weights * factor
        return RowSample(
            self.keys, self.values, weights, self.capacity, self.threshold, self.hashes
        )

    def select_outputs(self, columns: AnyArray) -> RowSample:
        """Rearrange the columns of values, -1 marking a column of zeros."""
        values = select_columns(self.values, columns)
        return RowSample(
            self.keys, values, self.weights, self.capacity, self.threshold, self.hashes
        )

    def to_state(self) -> State:
        """Return what a file keeps."""
        tensors = {"keys": self.keys, "values": self.values, "weights": self.weights}
        return State(tensors, {"capacity": self.capacity, "threshold": int(self.threshold)})

    @classmethod
    def from_state(cls, state: State) -> RowSample:
        """Restore what `to_state` returned."""
        tensors, metadata = state
        return cls(
            tensors["keys"],
            tensors["values"],
            tensors["weights"],
            int(metadata["capacity"]),
            np.uint64(metadata["threshold"]),
        )


def select_columns(values: AnyArray, columns: AnyArray) -> AnyArray:
    """Rearrange columns, -1 marking a column of zeros."""
    taken: AnyArray = np.where(columns < 0, 0, values[:, columns])
    return taken


def hash_rows(keys: AnyArray) -> AnyArray:
    """Hash the float64 bits of each row to uint64, alike in any batch.

    A sum of the entries' bit patterns times fixed odd numbers, modulo 2**64, then mixed.
    """
    bits = (np.ascontiguousarray(keys, dtype=np.float64) + 0.0).view(np.uint64)  # -0.0 is 0.0
    factors = hash64(np.arange(keys.shape[1], dtype=np.uint64)) | np.uint64(1)
    return hash64(bits @ factors) >> np.uint64(1)


def _threshold_for(hashes: AnyArray, capacity: int) -> np.uint64:
    """Return the highest threshold below which at most `capacity` distinct hashes lie, sorted."""
    first = np.flatnonzero(hashes[1:] != hashes[:-1]) + 1
    return np.uint64(hashes[first[capacity - 1]]) if 0 < capacity <= len(first) else OPEN_THRESHOLD


def _merge_repeated(
    keys: AnyArray, values: AnyArray, weights: FloatArray, hashes: AnyArray
) -> tuple[AnyArray, AnyArray, FloatArray, AnyArray]:
    """Sum the weights of equal rows among rows sorted by hash, and drop rows of weight zero."""
    tied = np.zeros(len(hashes), dtype=bool)
    equal = hashes[1:] == hashes[:-1]
    tied[1:] |= equal
    tied[:-1] |= equal
    if tied.any():
        among = np.flatnonzero(tied)
        rows = np.concatenate([keys[among], values[among]], axis=1, dtype=np.float64) + 0.0
        order = np.lexsort((*rows.T[::-1], hashes[among]))
        keys[among], values[among] = keys[among][order], values[among][order]
        weights[among], rows = weights[among][order], rows[order]
        repeats = np.zeros(len(hashes), dtype=bool)
        repeats[among[1:]] = np.all(rows[1:] == rows[:-1], axis=1)
        first = np.flatnonzero(~repeats)
        keys, values, hashes = keys[first], values[first], hashes[first]
        weights = np.add.reduceat(weights, first)
    if np.any(weights < -ROUNDING):
        raise ValueError(
            "a row to forget was never learned, or not so often; forgetting needs the identical "
            "key and value that were learned"
        )
    if np.all(weights > ROUNDING):
        return keys, values, weights, hashes
    present = np.flatnonzero(weights > ROUNDING)
    return keys[present], values[present], weights[present], hashes[present]


def _compact(rows: AnyArray) -> AnyArray:
    """Store grid rows as int32, plain float64 rows as they are."""
    if rows.dtype == np.int32:
        return rows
    as_int = rows.astype(np.int32, copy=False)
    return as_int if np.array_equal(as_int, rows) else rows
