"""The paper's four ways to read a memory of (key, value) pairs as a classifier.

`NearestNeighbours`, `SoftmaxMemory` and `LinearAttention` average values; `PaperFaast` is the
paper's method, which solves for one matrix of weights. `MemoryReader` holds what they share.
"""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.metaestimators import available_if

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.estimators.memory import AssociativeMemory
from faast.evaluation.baselines.base import (
    LOGIT_SCALE,
    ClassEmbeddings,
    ProbabilisticBaseline,
    apply_in_batches,
    stack_embeddings,
    unit,
)
from faast.solvers import PseudoInverse


class MemoryReader(ProbabilisticBaseline):
    """Classifier that reads a memory for each query and mixes the result with the query itself.

    Keys are the support rows. With class embeddings T, the value of a key is the unit embedding of
    its class. For a query x, N keys, a prior count N0 and r = N / (N0 + N),

        prediction = (1 - r) x + r read(x),    scores = 100 unit(prediction) T'.

    Without class embeddings, the value of a key is the one-hot row of its class. The query is then
    in another space and is not mixed in (N0 = 0): the scores are read(x). There are no
    probabilities, because no logit scale of a frozen model belongs to these scores.

    Parameters
    ----------
    class_embeddings : mapping of label to array-like of shape (n_features,), optional
        Zero-shot prior, in the space of the rows.
    prior_count : float, optional
        N0: the number of rows that the frozen model's own answer counts for. By default 40 per
        class with class embeddings. Use 0 if the embeddings carry no meaning.

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
        """Read the memory, before the query is mixed in.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Queries.

        Returns
        -------
        ndarray of shape (n_rows, n_outputs), float64
            n_outputs is n_features with class embeddings, else n_classes.
        """
        return apply_in_batches(self._read, self._validate_queries(X))

    @available_if(lambda self: self.class_embeddings is not None)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Return the softmax of the class scores; available with class embeddings only.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Queries.

        Returns
        -------
        ndarray of shape (n_rows, n_classes), float64
        """
        return super().predict_proba(X)

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        n_rows, n_classes = len(rows), len(self.classes_)
        if self.class_embeddings is None:
            if self.prior_count:
                raise ValueError(
                    f"prior_count={self.prior_count} needs class_embeddings; "
                    "without them use 0 or None"
                )
            self.embeddings_, self.read_share_ = np.eye(n_classes), 1.0
        else:
            prior = 40 * n_classes if self.prior_count is None else self.prior_count
            self.embeddings_ = stack_embeddings(self.class_embeddings, self.classes_, rows.shape[1])
            self.read_share_ = n_rows / (prior + n_rows)
        self._memorize(rows, codes)

    def _scores(self, rows: FloatArray) -> FloatArray:
        read = apply_in_batches(self._read, rows)
        if self.class_embeddings is None:
            return read
        prediction = (1 - self.read_share_) * rows + self.read_share_ * read
        return LOGIT_SCALE * unit(prediction) @ self.embeddings_.T

    def _stored(self) -> Sequence[AnyArray]:
        arrays = self._memory_arrays()
        return arrays if self.class_embeddings is None else [*arrays, self.embeddings_]

    @abstractmethod
    def _memorize(self, keys: FloatArray, codes: IntArray) -> None:
        """Store what `_read` needs; the value of key i is ``embeddings_[codes[i]]``."""

    @abstractmethod
    def _read(self, queries: FloatArray) -> FloatArray:
        """Read the memory for one batch of validated queries."""

    @abstractmethod
    def _memory_arrays(self) -> list[AnyArray]:
        """Return the arrays that `_read` uses, except the class embeddings."""


class NearestNeighbours(MemoryReader):
    """k nearest keys by Euclidean distance, with k = min(rows of the largest class, 10).

    With class embeddings, the read is the mode of the neighbours' values in each coordinate (the
    smallest value on ties). With one-hot values that mode is zero everywhere unless one class has a
    majority. So there the read is the mean of the neighbours' values, the share of each class, as
    in ordinary k-NN.

    Parameters
    ----------
    class_embeddings, prior_count
        See `MemoryReader`.

    References
    ----------
    FAAST, arXiv:2605.04651, the k-NN reader.
    """

    def _memorize(self, keys: FloatArray, codes: IntArray) -> None:
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

    def _memory_arrays(self) -> list[AnyArray]:
        return [self.keys_, self.codes_]


def mode_over_neighbours(values: FloatArray) -> FloatArray:
    """Return the most frequent value along the middle axis, the smallest one on ties.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_neighbours, n_outputs)

    Returns
    -------
    ndarray of shape (n_rows, n_outputs)
    """
    # Sorted, equal values form runs: take the value of the first of the longest runs.
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
    """Average of the values with weights phi(x)·phi(k), kept as one matrix of fixed size.

    phi(x) = elu(x - mean(x)) + 1 is positive, so the weights form an average:

        read(x) = phi(x) S / (phi(x) z) - mean value,   S = sum phi(k) v',   z = sum phi(k).

    Parameters
    ----------
    class_embeddings, prior_count
        See `MemoryReader`.

    References
    ----------
    Katharopoulos et al., Transformers are RNNs, arXiv:2006.16236, equations 5 to 7; the centring
    of rows and values is from FAAST, arXiv:2605.04651.
    """

    def _memorize(self, keys: FloatArray, codes: IntArray) -> None:
        values = self.embeddings_[codes]
        features = _map_features(keys)
        self.products_ = features.T @ values
        self.normaliser_ = features.sum(axis=0)
        self.mean_value_ = values.mean(axis=0)

    def _read(self, queries: FloatArray) -> FloatArray:
        features = _map_features(queries)
        average = features @ self.products_ / (features @ self.normaliser_)[:, None]
        read: FloatArray = average - self.mean_value_
        return read

    def _memory_arrays(self) -> list[AnyArray]:
        return [self.products_, self.normaliser_, self.mean_value_]


def _map_features(rows: FloatArray) -> FloatArray:
    """Subtract from each row its own mean and apply elu + 1."""
    centred: FloatArray = rows - rows.mean(axis=1, keepdims=True)
    mapped: FloatArray = np.where(centred > 0, centred + 1, np.exp(np.minimum(centred, 0)))
    return mapped


class PaperFaast(MemoryReader):
    """Regression of the values on the keys: W = pinv(K, N**-alpha) V, read(x) = x W.

    Parameters
    ----------
    class_embeddings, prior_count
        See `MemoryReader`.
    alpha : float
        Exponent of the spectral filter, see `faast.PseudoInverse`; 0.8 for images.

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

    def _memorize(self, keys: FloatArray, codes: IntArray) -> None:
        n_rows, n_features = keys.shape
        memory = AssociativeMemory(
            PseudoInverse(alpha=self.alpha),
            grid=None,  # as published, keys are not rounded
            selection_rows=n_rows if 2 * n_rows <= n_features else 0,  # else the solver needs none
        )
        memory.learn(keys, self.embeddings_[codes])
        self.weights_: FloatArray = memory.weights.matrix

    def _read(self, queries: FloatArray) -> FloatArray:
        read: FloatArray = queries @ self.weights_
        return read

    def _memory_arrays(self) -> list[AnyArray]:
        return [self.weights_]


class SoftmaxMemory(MemoryReader):
    """Average of the values with weights softmax(100 x K') over all keys.

    The paper centres the logits of each query first, which leaves the softmax unchanged.

    Parameters
    ----------
    class_embeddings, prior_count
        See `MemoryReader`.

    References
    ----------
    FAAST, arXiv:2605.04651, the softmax reader.
    """

    def _memorize(self, keys: FloatArray, codes: IntArray) -> None:
        self.keys_, self.codes_ = keys, codes

    def _read(self, queries: FloatArray) -> FloatArray:
        weights = softmax(LOGIT_SCALE * queries @ self.keys_.T, axis=1)
        read: FloatArray = weights @ self.embeddings_[self.codes_]
        return read

    def _memory_arrays(self) -> list[AnyArray]:
        return [self.keys_, self.codes_]
