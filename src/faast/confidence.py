"""Honest probabilities: a temperature fitted on scores of rows that were left out."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from faast._typing import AnyArray, FloatArray, IntArray

LOG_BOUNDS = (-10.0, 10.0)
"""Range of the logarithm of the temperature, relative to the spread of the scores."""


def fit_temperature(scores: FloatArray, codes: IntArray, weights: FloatArray) -> float:
    """Choose T so that softmax(scores / T) has the smallest negative log-likelihood.

    Parameters
    ----------
    scores : ndarray of shape (n, C)
        Of rows that the model did not learn (leave-one-out).
    codes : ndarray of shape (n,), int
        Column of the true class.
    weights : ndarray of shape (n,)

    Returns
    -------
    float
        At least a tenth of the mean squared distance between the scores and the one-hot truth
        where every row is scored right: there the likelihood alone would drive T to 0.
    """
    if not len(codes) or scores.shape[1] < 2:
        return 1.0
    spread = float(np.std(scores - scores.mean(axis=1, keepdims=True))) or 1.0

    def loss(log_temperature: float) -> float:
        likelihood = log_softmax(scores / (spread * np.exp(log_temperature)), axis=1)
        return float(-(weights @ likelihood[np.arange(len(codes)), codes]))

    found = minimize_scalar(loss, bounds=LOG_BOUNDS, method="bounded", options={"xatol": 1e-3})
    return spread * float(np.exp(found.x))


def strangeness(logits: FloatArray) -> FloatArray:
    """Return -log p_c of each row in each class, (n, C): large where a class does not fit."""
    return -log_softmax(logits, axis=1)


def calibration_error(confidence: FloatArray, correct: AnyArray, n_bins: int = 15) -> float:
    """Return the expected calibration error of predictions (Naeini et al. 2015).

    Parameters
    ----------
    confidence : ndarray of shape (n,)
        Probability of the predicted label.
    correct : ndarray of shape (n,), bool
    n_bins : int
        Bins of equal width.

    Returns
    -------
    float
        Mean distance of a bin's accuracy from its mean confidence, weighted by its rows.
    """
    bins = np.minimum((confidence * n_bins).astype(np.int64), n_bins - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(confidence))
