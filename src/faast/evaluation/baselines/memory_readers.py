"""The reading rule that the paper's four memory readers share.

Memory read by its nearest keys.

Memory read by linear attention.

Memory read by one matrix: the method as its paper has it.

Memory read by softmax attention.
"""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.metaestimators import available_if

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.evaluation.baselines.base import (
    LOGIT_SCALE,
    ClassEmbeddings,
    ProbabilisticBaseline,
    embedding_rows,
    in_batches,
    unit,
)


class MemoryReader(ProbabilisticBaseline):
    """Memory of (key, value) pairs, read for each query and mixed with the query itself.

    Keys are the support rows. With class embeddings T, the value of a key is its class's
    unit embedding; for a query x, with N keys, a prior count N0 and r = N / (N0 + N),

        prediction = (1 - r) x + r read(x),    scores = 100 unit(prediction) T'.

    Without class embeddings the value is a one-hot row, the query cannot be mixed with it
    (N0 = 0), and the read itself is the class scores; probabilities are then not defined,
    as no logit scale of a frozen model goes with them.

    Parameters
    ----------
    class_embeddings : mapping of label to array-like of shape (n_features,), optional
        Zero-shot prior, in the space of the rows.
    prior_count : float, optional
        N0: how many rows the frozen model's own answer counts for. By default 40 a class with
        class embeddings; embeddings of labels that mean nothing call for 0.

    References
    ----------
    FAAST, arXiv:2605.04651, section on image classification.
    """

    def __init__(
        self,
        class_embeddings: ClassEmbeddings | None = None,
        prior_count: float | None = None,
    ) -> None:
        self.class_embeddings = class_embeddings
        self.prior_count = prior_count

    def read(self, X: ArrayLike) -> FloatArray:
        """Read the memory for queries (n_rows, n_features), before the prior.

        Returns
        -------
        ndarray of shape (n_rows, n_values), float64
            n_values is n_features with class embeddings, else n_classes.
        """
        return in_batches(self._read, self._checked(X))

    @available_if(lambda self: self.class_embeddings is not None)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Give the softmax of the class scores (n_rows, n_classes); only with embeddings."""
        return super().predict_proba(X)

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        n_rows, n_classes = len(rows), len(self.classes_)
        if self.class_embeddings is None:
            if self.prior_count:
                raise ValueError(
                    f"prior_count={self.prior_count} needs class_embeddings; "
                    "without them use 0 or None."
                )
            self.embeddings_, self.read_share_ = np.eye(n_classes), 1.0
        else:
            prior = 40 * n_classes if self.prior_count is None else self.prior_count
            self.embeddings_ = embedding_rows(self.class_embeddings, self.classes_, rows.shape[1])
            self.read_share_ = n_rows / (prior + n_rows)
        self._memorise(rows, codes)

    def _scores(self, rows: FloatArray) -> FloatArray:
        read = in_batches(self._read, rows)
        if self.class_embeddings is None:
            return read
        prediction = (1 - self.read_share_) * rows + self.read_share_ * read
        return LOGIT_SCALE * unit(prediction) @ self.embeddings_.T

    def _stored(self) -> Sequence[AnyArray]:
        kept = self._kept()
        return kept if self.class_embeddings is None else [*kept, self.embeddings_]

    @abstractmethod
    def _memorise(self, keys: FloatArray, codes: IntArray) -> None:
        """Keep what `_read` needs; the value of key i is ``embeddings_[codes[i]]``."""

    @abstractmethod
    def _read(self, queries: FloatArray) -> FloatArray:
        """Read a few checked queries."""

    @abstractmethod
    def _kept(self) -> list[AnyArray]:
        """List the arrays that `_read` uses, class embeddings aside."""


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


class LinearAttention(MemoryReader):
    """Values averaged with weights phi(x)·phi(k), as a matrix of fixed size.

    With phi = elu + 1 of the row less its own mean (positive, so the weights are an average):

        read(x) = phi(x) S / (phi(x) z) - mean value,   S = sum phi(k) v',   z = sum phi(k).

    Parameters
    ----------
    class_embeddings, prior_count
        See `MemoryReader`.

    References
    ----------
    Katharopoulos et al., Transformers are RNNs, arXiv:2006.16236, equations 5 to 7; the
    centring is of FAAST, arXiv:2605.04651.
    """

    def _memorise(self, keys: FloatArray, codes: IntArray) -> None:
        values = self.embeddings_[codes]
        features = feature_map(keys)
        self.products_ = features.T @ values
        self.normaliser_ = features.sum(axis=0)
        self.mean_value_ = values.mean(axis=0)

    def _read(self, queries: FloatArray) -> FloatArray:
        features = feature_map(queries)
        average = features @ self.products_ / (features @ self.normaliser_)[:, None]
        read: FloatArray = average - self.mean_value_
        return read

    def _kept(self) -> list[AnyArray]:
        return [self.products_, self.normaliser_, self.mean_value_]


def feature_map(rows: FloatArray) -> FloatArray:
    """Map rows, less their own mean, through elu + 1."""
    centred: FloatArray = rows - rows.mean(axis=1, keepdims=True)
    mapped: FloatArray = np.where(centred > 0, centred + 1, np.exp(np.minimum(centred, 0)))
    return mapped


class PaperFaast(MemoryReader):
    """Values regressed on keys: W = pinv(K) V, read as x W.

    Singular values of the keys below N**-alpha of the largest are dropped, and the
    pseudo-inverse is that of the stacked keys, as published.

    Parameters
    ----------
    class_embeddings, prior_count
        See `MemoryReader`.
    alpha : float
        Exponent of the spectral filter; 0.8 for images.

    References
    ----------
    FAAST, arXiv:2605.04651, the pseudo-inverse reader.
    """

    def __init__(
        self,
        class_embeddings: ClassEmbeddings | None = None,
        prior_count: float | None = None,
        alpha: float = 0.8,
    ) -> None:
        super().__init__(class_embeddings, prior_count)
        self.alpha = alpha

    def _memorise(self, keys: FloatArray, codes: IntArray) -> None:
        inverse = np.linalg.pinv(keys, rtol=len(keys) ** -self.alpha)
        self.weights_: FloatArray = inverse @ self.embeddings_[codes]

    def _read(self, queries: FloatArray) -> FloatArray:
        read: FloatArray = queries @ self.weights_
        return read

    def _kept(self) -> list[AnyArray]:
        return [self.weights_]


class SoftmaxMemory(MemoryReader):
    """Values averaged with weights softmax(100 x K'), over all keys.

    The paper centres each query's logits first; softmax does not change under that.

    Parameters
    ----------
    class_embeddings, prior_count
        See `MemoryReader`.

    References
    ----------
    FAAST, arXiv:2605.04651, the softmax reader.
    """

    def _memorise(self, keys: FloatArray, codes: IntArray) -> None:
        self.keys_, self.codes_ = keys, codes

    def _read(self, queries: FloatArray) -> FloatArray:
        weights = softmax(LOGIT_SCALE * queries @ self.keys_.T, axis=1)
        read: FloatArray = weights @ self.embeddings_[self.codes_]
        return read

    def _kept(self) -> list[AnyArray]:
        return [self.keys_, self.codes_]
