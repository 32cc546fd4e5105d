"""Rows held out of the support, and a parameter chosen on them."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.model_selection import GridSearchCV

from faast._typing import FloatArray, IntArray


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
