"""What every baseline shares: labels, class embeddings, prediction.

Rows held out of the support, and a parameter chosen on them.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils import gen_batches
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from faast._utils.arrays import AnyArray, FloatArray, IntArray

ClassEmbeddings: TypeAlias = Mapping[Hashable, ArrayLike]

LOGIT_SCALE = 100.0
"""Inverse temperature of CLIP (Radford et al., arXiv:2103.00020, section 2.5)."""


class Baseline(ClassifierMixin, BaseEstimator, ABC):
    """Classifier of frozen features; subclasses say how to fit and how to score.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels of ``y``, sorted, of their own dtype.
    n_features_in_ : int
        Width of the rows seen by `fit`.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Learn from labelled rows.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Frozen features of any float dtype; computed with in float64.
        y : array-like of shape (n_rows,)
            Labels: integers or strings, at least two different ones.

        Returns
        -------
        Self
            The fitted baseline.

        Raises
        ------
        ValueError
            If rows are not finite, lengths differ, labels are not classes or are all the same.
        """
        with warnings.catch_warnings():
            # One row a class is the setting here, not a regression target passed by mistake.
            warnings.filterwarnings("ignore", message="The number of unique classes is greater")
            rows, labels = validate_data(self, X, y, dtype=np.float64)
            check_classification_targets(labels)
            self.classes_, codes = np.unique(labels, return_inverse=True)
            if len(self.classes_) < 2:
                (only,) = self.classes_.tolist()
                raise ValueError(f"y holds one class, {only!r}; give at least two.")
            self._fit(rows, codes)
        return self

    def decision_function(self, X: ArrayLike) -> FloatArray:
        """Score every class.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Frozen features.

        Returns
        -------
        ndarray of shape (n_rows, n_classes), float64
            Scores in the order of ``classes_``, one column a class also when there are two.
        """
        return self._scores(self._checked(X))

    def predict(self, X: ArrayLike) -> AnyArray:
        """Name the class of the highest score.

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
        """Bytes kept to predict, every number held in its own dtype (float64 for weights)."""
        check_is_fitted(self)
        return sum(array.nbytes for array in self._stored())

    def _checked(self, X: ArrayLike) -> FloatArray:
        """Check queries against the fitted width."""
        check_is_fitted(self)
        rows: FloatArray = validate_data(self, X, reset=False, dtype=np.float64)
        return rows

    @abstractmethod
    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        """Learn from checked rows and their positions in ``classes_``."""

    @abstractmethod
    def _scores(self, rows: FloatArray) -> FloatArray:
        """Score checked rows."""

    @abstractmethod
    def _stored(self) -> Sequence[AnyArray]:
        """List the arrays that prediction reads."""


class ProbabilisticBaseline(Baseline):
    """Baseline whose scores are log-probabilities up to a constant in each row."""

    def predict_proba(self, X: ArrayLike) -> FloatArray:
        """Give the probability of every class: the softmax of `decision_function`.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Frozen features.

        Returns
        -------
        ndarray of shape (n_rows, n_classes), float64
            Rows that sum to one, in the order of ``classes_``.
        """
        probabilities: FloatArray = softmax(self.decision_function(X), axis=1)
        return probabilities


def unit(rows: FloatArray) -> FloatArray:
    """Scale rows to unit Euclidean norm; a row of zeros stays as it is."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1.0)


def embedding_rows(embeddings: ClassEmbeddings, classes: AnyArray, width: int) -> FloatArray:
    """Look the classes up.

    Parameters
    ----------
    embeddings : mapping of label to array-like of shape (width,)
        May hold more labels than asked for.
    classes : ndarray of shape (n_classes,)
        Labels to look up.
    width : int
        Width of the feature rows, which live in the space of the embeddings.

    Returns
    -------
    ndarray of shape (n_classes, width), float64
        Unit rows in the order of `classes`.

    Raises
    ------
    TypeError
        If `embeddings` is not a mapping.
    ValueError
        If a class is missing, or its vector has another width, is zero or is not finite.
    """
    if not isinstance(embeddings, Mapping):
        raise TypeError(
            f"class_embeddings must be {{label: vector}}, got {type(embeddings).__name__}."
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
                f"expected {(width,)}, the width of X."
            )
        if not np.isfinite(vector).all() or not vector.any():
            raise ValueError(f"class_embeddings[{label!r}] must be finite and not zero.")
        row[:] = vector
    return unit(rows)


def class_means(rows: FloatArray, codes: IntArray) -> FloatArray:
    """Average the rows of each class: (n_classes, n_features)."""
    onehot = np.eye(codes.max() + 1)[codes]
    means: FloatArray = onehot.T @ rows / onehot.sum(axis=0)[:, None]
    return means


def class_columns(scores: FloatArray) -> FloatArray:
    """Give two columns to scikit-learn's one-dimensional binary margin.

    A margin s of the second class over the first becomes (-s/2, s/2): the same argmax, and
    softmax gives the logistic function of s.
    """
    return scores if scores.ndim == 2 else np.column_stack([-scores / 2, scores / 2])


def in_batches(
    function: Callable[[FloatArray], FloatArray], rows: FloatArray, size: int = 256
) -> FloatArray:
    """Apply `function` to at most `size` rows at a time: bounded memory, same result."""
    return np.concatenate([function(rows[part]) for part in gen_batches(len(rows), size)])


def support_folds(codes: IntArray, n_folds: int, seed: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Split the support so that each class keeps at least one row to learn from.

    Row i of a shuffled class goes to fold ``i % n_folds``. A class of one row is never held
    out; folds that would hold out nothing are skipped, so a one-shot support has no folds.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Class positions.
    n_folds : int
        At least two.
    seed : int
        Seed of the shuffle.

    Yields
    ------
    tuple of ndarray
        Shuffled positions of the rows to learn from and of the rows held out.
    """
    order = np.random.default_rng(seed).permutation(len(codes))
    counts = np.bincount(codes)
    rank = np.empty_like(codes)
    for code in range(len(counts)):
        rank[order[codes[order] == code]] = np.arange(counts[code])
    fold = np.where(counts[codes] > 1, rank % n_folds, -1)[order]
    for held in range(n_folds):
        if (fold == held).any():
            yield order[fold != held], order[fold == held]


def fit_best_c(
    estimator: ClassifierMixin,
    rows: FloatArray,
    codes: IntArray,
    *,
    candidates: Sequence[float],
    fallback: float,
    scoring: str | Callable[[ClassifierMixin, FloatArray, IntArray], float],
    seed: int,
) -> ClassifierMixin:
    """Fit with the ``C`` of the best score over five folds of the support.

    Parameters
    ----------
    estimator : scikit-learn classifier with a parameter ``C``
        Not changed.
    rows : ndarray of shape (n_rows, n_features)
        Support.
    codes : ndarray of shape (n_rows,)
        Class positions.
    candidates : sequence of float
        Values of ``C``; the first of equals wins.
    fallback : float
        ``C`` where no class has two rows, so that there is nothing to validate on.
    scoring : str or callable
        As `GridSearchCV` takes it.
    seed : int
        Seed of the folds.

    Returns
    -------
    fitted classifier
        A clone, fitted to all rows.
    """
    folds = list(support_folds(codes, 5, seed))
    if not folds:
        return clone(estimator).set_params(C=fallback).fit(rows, codes)
    search = GridSearchCV(estimator, {"C": list(candidates)}, cv=folds, scoring=scoring)
    return search.fit(rows, codes).best_estimator_


def mean_log_likelihood(estimator: ClassifierMixin, rows: FloatArray, codes: IntArray) -> float:
    """Score probabilities; unlike scikit-learn's own rule, needs no row of every class."""
    probabilities = estimator.predict_proba(rows)[np.arange(len(codes)), codes]
    return float(np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)).mean())
