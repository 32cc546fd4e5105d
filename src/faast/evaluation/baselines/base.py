"""The interface of a baseline, and the helpers that several baselines share."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import gen_batches
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from faast._utils.arrays import AnyArray, FloatArray, IntArray

ClassEmbeddings: TypeAlias = Mapping[Hashable, ArrayLike]

LOGIT_SCALE = 100.0
"""Inverse temperature of CLIP (Radford et al., arXiv:2103.00020, section 2.5)."""


class Baseline(ClassifierMixin, BaseEstimator, ABC):
    """A classifier of frozen features with scikit-learn's interface.

    This class checks the input, encodes the labels and predicts the class of the highest score. A
    subclass implements `_fit`, `_scores` and `_stored`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels of ``y``, sorted, in their own dtype.
    n_features_in_ : int
        Number of columns of the rows that `fit` was given.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from labelled rows.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Frozen features of any float dtype; they are converted to float64.
        y : array-like of shape (n_rows,)
            Labels: integers or strings, at least two different ones.

        Returns
        -------
        Self
            The fitted baseline.

        Raises
        ------
        ValueError
            If rows are not finite, `X` and `y` differ in length, or `y` holds continuous numbers or
            only one class.
        """
        with warnings.catch_warnings():
            # One row per class is usual here; scikit-learn takes it for a regression target.
            warnings.filterwarnings("ignore", message="The number of unique classes is greater")
            rows, labels = validate_data(self, X, y, dtype=np.float64)
            check_classification_targets(labels)
            self.classes_, codes = np.unique(labels, return_inverse=True)
            if len(self.classes_) < 2:
                (only,) = self.classes_.tolist()
                raise ValueError(f"y holds one class, {only!r}; give rows of at least two classes")
            self._fit(rows, codes)
        return self

    def decision_function(self, X: ArrayLike) -> FloatArray:
        """Return a score for every class.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Frozen features.

        Returns
        -------
        ndarray of shape (n_rows, n_classes), float64
            Columns in the order of ``classes_``; two columns for two classes.
        """
        return self._scores(self._validate_queries(X))

    def predict(self, X: ArrayLike) -> AnyArray:
        """Return the class of the highest score for each row.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Frozen features.

        Returns
        -------
        ndarray of shape (n_rows,)
            Members of ``classes_``.
        """
        scores = self.decision_function(X)
        best: AnyArray = self.classes_[scores.argmax(axis=1)]
        return best

    @property
    def stored_bytes_(self) -> int:
        """Bytes of all arrays that prediction needs, each in the dtype it is stored in."""
        check_is_fitted(self)
        return sum(array.nbytes for array in self._stored())

    def _validate_queries(self, X: ArrayLike) -> FloatArray:
        check_is_fitted(self)
        rows: FloatArray = validate_data(self, X, reset=False, dtype=np.float64)
        return rows

    @abstractmethod
    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        """Learn from validated rows; ``codes`` are positions of their labels in ``classes_``."""

    @abstractmethod
    def _scores(self, rows: FloatArray) -> FloatArray:
        """Return the scores (n_rows, n_classes) of validated rows."""

    @abstractmethod
    def _stored(self) -> Sequence[AnyArray]:
        """Return the arrays that prediction reads."""


class ProbabilisticBaseline(Baseline):
    """Baseline whose scores are log-probabilities up to a constant per row."""

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Return the probability of every class, the softmax of `decision_function`.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Frozen features.

        Returns
        -------
        ndarray of shape (n_rows, n_classes), float64
            Columns in the order of ``classes_``; each row sums to one.
        """
        probabilities: FloatArray = softmax(self.decision_function(X), axis=1)
        return probabilities


def unit(rows: FloatArray) -> FloatArray:
    """Scale each row to Euclidean norm 1; rows of zeros stay zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1.0)


def stack_embeddings(embeddings: ClassEmbeddings, classes: AnyArray, width: int) -> FloatArray:
    """Collect the embedding of each class in one array.

    Parameters
    ----------
    embeddings : mapping of label to array-like of shape (width,)
        May hold labels that are not in `classes`.
    classes : ndarray of shape (n_classes,)
        Labels to look up.
    width : int
        Number of features of the rows, which share a space with the embeddings.

    Returns
    -------
    ndarray of shape (n_classes, width), float64
        Embeddings in the order of `classes`, each scaled to norm 1.

    Raises
    ------
    TypeError
        If `embeddings` is not a mapping.
    ValueError
        If a class is missing, or its vector has another width, is zero or is not finite.
    """
    if not isinstance(embeddings, Mapping):
        raise TypeError(
            f"class_embeddings must be {{label: vector}}, got {type(embeddings).__name__}"
        )
    missing = [label for label in classes.tolist() if label not in embeddings]
    if missing:
        raise ValueError(
            f"class_embeddings has no vector for {missing[0]!r}; add one for each of {missing}"
        )
    rows = np.empty((len(classes), width))
    for row, label in zip(rows, classes.tolist(), strict=True):
        vector = np.asarray(embeddings[label], dtype=np.float64)
        if vector.shape != (width,):
            raise ValueError(
                f"class_embeddings[{label!r}] has shape {vector.shape}; "
                f"expected {(width,)}, the width of X"
            )
        if not np.isfinite(vector).all() or not vector.any():
            raise ValueError(f"class_embeddings[{label!r}] must be finite and not zero")
        row[:] = vector
    return unit(rows)


def class_means(rows: FloatArray, codes: IntArray) -> FloatArray:
    """Return the mean row of each class, shape (n_classes, n_features)."""
    onehot = np.eye(codes.max() + 1)[codes]
    means: FloatArray = onehot.T @ rows / onehot.sum(axis=0)[:, None]
    return means


def split_margin(scores: FloatArray) -> FloatArray:
    """Turn scikit-learn's one-dimensional score of two classes into one column per class.

    A margin s in favour of the second class becomes the columns (-s/2, s/2). They have the same
    argmax, and their softmax is the logistic function of s. Scores of shape (n, C) pass through.
    """
    return scores if scores.ndim == 2 else np.column_stack([-scores / 2, scores / 2])


def apply_in_batches(
    function: Callable[[FloatArray], FloatArray], rows: FloatArray, size: int = 256
) -> FloatArray:
    """Apply a function to `size` rows at a time, which bounds the memory it needs.

    Returns
    -------
    ndarray
        The concatenated results.
    """
    return np.concatenate([function(rows[part]) for part in gen_batches(len(rows), size)])
