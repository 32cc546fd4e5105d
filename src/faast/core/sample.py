"""Row samples: a mergeable sample of learned rows that does not depend on their order.

Rows are a multiset of (key, value) pairs in grid units, sorted by a hash of the key, so that
nothing depends on the order of arrival. Up to `capacity` distinct rows are all kept. Beyond that
the sample is every learned row whose hash lies below a threshold, which is lowered so that at most
`capacity` rows stay (bottom-k sampling). Collisions of this fast hash are easy to construct; rows
of equal hash are ordered by a second, cryptographic hash, so that the sample keeps its size
whatever rows are learned.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.hashing import hash64
from faast.core.state import State
from faast.core.sums import select_columns, sum_columns

EVERY_ROW = 2**62
"""A capacity that no number of rows exceeds."""

ROUNDING = 1e-9
"""Smaller weights count as zero: they are rounding errors left by rows that were forgotten."""

LARGEST_GRID_ENTRY = 2.0**27
"""In grid units; `Grid.round` refuses larger entries."""


class Threshold(NamedTuple):
    """A row is sampled while (hash, second hash) of its key is below this pair.

    Attributes
    ----------
    hash, second : int
    """

    hash: int
    second: int


NO_THRESHOLD = Threshold(2**64 - 1, 0)
"""Above every hash, so that every row is sampled."""


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
            order = order[: _enough(hashes[order], capacity)]
        rows = _Rows(keys, values, weights, hashes)._take(order)
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

    def samples(self, keys: AnyArray) -> AnyArray:
        """Tell which learned rows are sampled, bool (n,), from their keys (n, d) in grid units."""
        return self.complete | (hash_rows(keys) < np.uint64(self.threshold.hash))

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


def refuse_lost_weights(weights: FloatArray | None, first_row: int = 0) -> None:
    """Raise ValueError if a row has a positive weight that would count as zero.

    Parameters
    ----------
    weights : ndarray of shape (n,), or None
    first_row : int
        Number of the first row, for the error message.
    """
    if weights is None:
        return
    lost = np.flatnonzero((weights > 0) & (weights <= ROUNDING))
    if lost.size:
        raise ValueError(
            f"row {first_row + lost[0]} has weight {weights[lost[0]]}; weights up to {ROUNDING} "
            "count as rounding errors of 0: multiply all weights by the same larger number"
        )


def hash_rows(keys: AnyArray) -> AnyArray:
    """Hash the float64 bits of each row to uint64, the same in any batch.

    The entries' bit patterns are multiplied by fixed odd numbers and summed modulo 2**64; the sum
    is mixed by `hash64`.
    """
    bits = (np.ascontiguousarray(keys, dtype=np.float64) + 0.0).view(np.uint64)  # -0.0 is 0.0
    factors = hash64(np.arange(keys.shape[1], dtype=np.uint64)) | np.uint64(1)
    return hash64(bits @ factors) >> np.uint64(1)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows sorted by hash; where hashes are equal, by second hash, key and value."""

    keys: AnyArray
    values: AnyArray
    weights: FloatArray
    hashes: AnyArray

    def sort_ties(self) -> _Rows:
        """Sort rows of equal hash."""
        tied = np.zeros(len(self.hashes), dtype=bool)
        equal = self.hashes[1:] == self.hashes[:-1]
        tied[1:] |= equal
        tied[:-1] |= equal
        if not tied.any():
            return self
        among = np.flatnonzero(tied)
        rows = (
            np.concatenate([self.keys[among], self.values[among]], axis=1, dtype=np.float64) + 0.0
        )
        second = _second_hashes(self.keys[among])
        order = np.arange(len(self.hashes))
        order[among] = among[np.lexsort((*rows.T[::-1], second, self.hashes[among]))]
        return self._take(order)

    def below(self, threshold: Threshold) -> _Rows:
        """Keep rows whose hashes are below a threshold."""
        n_below = int(np.searchsorted(self.hashes, np.uint64(threshold.hash)))
        n_equal = int(np.searchsorted(self.hashes, np.uint64(threshold.hash), side="right"))
        if n_equal > n_below and threshold.second:
            second = _second_hashes(self.keys[n_below:n_equal])
            n_below += int(np.count_nonzero(second < np.uint64(threshold.second)))
        return self if n_below == len(self.keys) else self._take(slice(n_below))

    def merge_equal(self) -> _Rows:
        """Sum the weights of equal rows; drop rows of weight zero."""
        repeats = np.zeros(len(self.hashes), dtype=bool)
        equal = np.flatnonzero(self.hashes[1:] == self.hashes[:-1]) + 1
        if len(equal):
            repeats[equal] = np.all(self.keys[equal] == self.keys[equal - 1], axis=1) & np.all(
                self.values[equal] == self.values[equal - 1], axis=1
            )
        merged = self
        if repeats.any():
            first = np.flatnonzero(~repeats)
            merged = replace(self._take(first), weights=np.add.reduceat(self.weights, first))
        if np.any(merged.weights < -ROUNDING):
            raise ValueError(
                "a row to forget was never learned, or not so often; forgetting needs the same "
                "row with the same label or value as it was learned"
            )
        present = merged.weights > ROUNDING
        return merged if present.all() else merged._take(np.flatnonzero(present))

    def threshold_at(self, place: int) -> Threshold:
        """Return the threshold that excludes the row at index `place` and all rows of its key."""
        second = _second_hashes(self.keys[place : place + 1])[0]
        return Threshold(int(self.hashes[place]), int(second))

    def _take(self, chosen: AnyArray | slice) -> _Rows:
        if isinstance(chosen, np.ndarray) and np.array_equal(chosen, np.arange(len(chosen))):
            chosen = slice(len(chosen))  # which copies no row
        return _Rows(
            self.keys[chosen], self.values[chosen], self.weights[chosen], self.hashes[chosen]
        )


def _insert(rows: AnyArray, places: AnyArray, others: AnyArray) -> AnyArray:
    """Insert rows before these places of others, which copies each row once."""
    common = np.result_type(rows, others)
    return np.insert(rows.astype(common, copy=False), places, others, axis=0)


def _second_hashes(keys: AnyArray) -> AnyArray:
    """Hash rows cryptographically, so that rows of equal hash are hard to construct."""
    content = np.ascontiguousarray(keys, dtype=np.float64) + 0.0
    digests = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in content]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _enough(hashes: AnyArray, capacity: int) -> int:
    """Return how many of these sorted hashes certainly cover `capacity` + 1 distinct rows."""
    first = np.flatnonzero(np.diff(hashes, prepend=~hashes[:1]))  # of equal hashes
    if capacity >= len(first):
        return len(hashes)
    last = first[capacity]  # rows of one hash stay together
    return int(np.searchsorted(hashes, hashes[last], side="right"))


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
