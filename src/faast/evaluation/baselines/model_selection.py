"""Choosing a parameter of a baseline by cross-validation on the support alone."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.model_selection import GridSearchCV

from faast._utils.arrays import FloatArray, IntArray


def support_folds(codes: IntArray, n_folds: int, seed: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Split the support into folds, keeping at least one row of each class to learn from.

    Row i of a shuffled class goes to fold ``i % n_folds``. A class of one row is never held out,
    and folds without held-out rows are skipped, so a support of one row per class has no folds.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,), int
        Class of each row, as a position in ``classes_``.
    n_folds : int
        At least two.
    seed : int
        Seed of the shuffle.

    Yields
    ------
    learn, held : ndarray of int
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
    """Choose ``C`` by the mean score over five folds of the support, then fit on all rows.

    Parameters
    ----------
    estimator : scikit-learn classifier with a parameter ``C``
        It is cloned and stays unchanged.
    rows : ndarray of shape (n_rows, n_features)
        Support.
    codes : ndarray of shape (n_rows,), int
        Class of each row, as a position in ``classes_``.
    candidates : sequence of float
        Values of ``C`` to try; of equally good ones the first wins.
    fallback : float
        ``C`` to use when no class has two rows, so that no row can be held out.
    scoring : str or callable
        As `GridSearchCV` takes it.
    seed : int
        Seed of the folds.

    Returns
    -------
    scikit-learn classifier
        A fitted clone of `estimator`.
    """
    folds = list(support_folds(codes, 5, seed))
    if not folds:
        return clone(estimator).set_params(C=fallback).fit(rows, codes)
    search = GridSearchCV(estimator, {"C": list(candidates)}, cv=folds, scoring=scoring)
    return search.fit(rows, codes).best_estimator_


def mean_log_likelihood(estimator: ClassifierMixin, rows: FloatArray, codes: IntArray) -> float:
    """Return the mean log-probability of the true classes.

    scikit-learn's scorer "neg_log_loss" fails when a fold lacks a class; this one does not.
    """
    probabilities = estimator.predict_proba(rows)[np.arange(len(codes)), codes]
    return float(np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)).mean())
