"""Memory read by its nearest keys."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from faast._typing import AnyArray, FloatArray, IntArray
from faast.baselines.memory_reader import MemoryReader


class NearestNeighbours(MemoryReader):
    """k nearest keys by Euclidean distance, k = min(largest class count, 10).

    With class embeddings the read takes, in each coordinate by itself, the most frequent of
    the neighbours' values (the smallest of equally frequent ones). With one-hot values that
    mode is zero everywhere unless one class has a majority, so there the read is the
    neighbours' mean instead: the share of each class, ordinary k-NN.

    Parameters
    ----------
    class_embeddings, prior_count
        See `MemoryReader`.

    References
    ----------
    FAAST, arXiv:2605.04651, the k-NN reader.
    """

    def _memorise(self, keys: FloatArray, codes: IntArray) -> None:
        self.keys_, self.codes_ = keys, codes
        n_neighbours = min(int(np.bincount(codes).max()), 10)
        self.index_ = NearestNeighbors(n_neighbors=n_neighbours, algorithm="brute").fit(keys)

    def _read(self, queries: FloatArray) -> FloatArray:
        neighbours = self.index_.kneighbors(queries, return_distance=False)
        values = self.embeddings_[self.codes_[neighbours]]
        if self.class_embeddings is None:
            shares: FloatArray = values.mean(axis=1)
            return shares
        return mode_over_neighbours(values)

    def _kept(self) -> list[AnyArray]:
        return [self.keys_, self.codes_]


def mode_over_neighbours(values: FloatArray) -> FloatArray:
    """Take the mode along the middle axis, the smallest value among ties.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_neighbours, n_values)
        Neighbours' values.

    Returns
    -------
    ndarray of shape (n_rows, n_values)
        In sorted order equal values form runs: the value of the longest, first on ties.
    """
    ordered = np.sort(values, axis=1)
    best = ordered[:, 0].copy()
    run = np.ones(best.shape, dtype=np.intp)
    longest = run.copy()
    for i in range(1, ordered.shape[1]):
        run = np.where(ordered[:, i] == ordered[:, i - 1], run + 1, 1)
        better = run > longest
        best[better] = ordered[:, i][better]
        longest = np.maximum(run, longest)
    return best
