"""Rows sorted by the hashes of their keys, whatever order they came in."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.row_hashes import Threshold, second_hashes
from faast.core.row_weights import ROUNDING


@dataclass(frozen=True, eq=False)
class SortedRows:
    """Rows sorted by hash; where hashes are equal, by second hash, key and value."""

    keys: AnyArray
    values: AnyArray
    weights: FloatArray
    hashes: AnyArray

    def sort_ties(self) -> SortedRows:
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
        second = second_hashes(self.keys[among])
        order = np.arange(len(self.hashes))
        order[among] = among[np.lexsort((*rows.T[::-1], second, self.hashes[among]))]
        return self.take(order)

    def below(self, threshold: Threshold) -> SortedRows:
        """Keep rows whose hashes are below a threshold."""
        n_below = int(np.searchsorted(self.hashes, np.uint64(threshold.hash)))
        n_equal = int(np.searchsorted(self.hashes, np.uint64(threshold.hash), side="right"))
        if n_equal > n_below and threshold.second:
            second = second_hashes(self.keys[n_below:n_equal])
            n_below += int(np.count_nonzero(second < np.uint64(threshold.second)))
        return self if n_below == len(self.keys) else self.take(slice(n_below))

    def merge_equal(self) -> SortedRows:
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
            merged = replace(self.take(first), weights=np.add.reduceat(self.weights, first))
        if np.any(merged.weights < -ROUNDING):
            raise ValueError(
                "a row to forget was never learned, or not so often; forgetting needs the same "
                "row with the same label or value as it was learned"
            )
        present = merged.weights > ROUNDING
        return merged if present.all() else merged.take(np.flatnonzero(present))

    def threshold_at(self, place: int) -> Threshold:
        """Return the threshold that excludes the row at index `place` and all rows of its key."""
        second = second_hashes(self.keys[place : place + 1])[0]
        return Threshold(int(self.hashes[place]), int(second))

    def take(self, chosen: AnyArray | slice) -> SortedRows:
        """Return some of the rows, in their order."""
        if isinstance(chosen, np.ndarray) and np.array_equal(chosen, np.arange(len(chosen))):
            chosen = slice(len(chosen))  # which copies no row
        return SortedRows(
            self.keys[chosen], self.values[chosen], self.weights[chosen], self.hashes[chosen]
        )


def count_enough(hashes: AnyArray, capacity: int) -> int:
    """Return how many of these sorted hashes certainly cover `capacity` + 1 distinct rows."""
    first = np.flatnonzero(np.diff(hashes, prepend=~hashes[:1]))  # of equal hashes
    if capacity >= len(first):
        return len(hashes)
    last = first[capacity]  # rows of one hash stay together
    return int(np.searchsorted(hashes, hashes[last], side="right"))
