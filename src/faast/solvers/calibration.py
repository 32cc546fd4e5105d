"""Calibration: fit temperatures on scores of rows that the model did not learn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from faast._utils.arrays import AnyArray, FloatArray, IntArray

NEWTON_STEPS = 12
ENOUGH = 1e-2
"""Newton's method stops when a step gains less than this many nats over all rows."""


class ScoreSource(NamedTuple):
    """One source of class scores.

    Attributes
    ----------
    scores : ndarray of shape (n, C)
    expected : float
        Estimate of their inverse temperature, from which a fit starts.
    """

    scores: FloatArray
    expected: float


def initial_inverse_temperature(
    scores: FloatArray, codes: IntArray, weights: FloatArray, *, vouched: bool = False
) -> float:
    """Estimate the inverse temperature of scores in closed form, as gap / variance.

    The gap is the mean score of a row's own class less that of other classes. If both are Gaussian
    with equal variance, gap / variance is the log-odds per unit of score. One pseudo-pair of the
    total variance keeps the estimate finite for tiny samples. The factor (C - 1) / C accounts for
    scores that sum to zero over classes, which are correlated by -1 / (C - 1).

    Parameters
    ----------
    scores : ndarray of shape (n, C)
    codes : ndarray of shape (n,), int
        Column of the true class.
    weights : ndarray of shape (n,)
    vouched : bool
        Whether the user supplied what the scores come from (class embeddings). The gap is then
        used as measured, and is at least one standard deviation. Otherwise the lower 95 % bound of
        the gap is used, and is at least a tenth of a standard deviation.

    Returns
    -------
    float
        Positive; 1 for a single class, no rows, or scores that are all equal.
    """
    n_classes, total_weight = scores.shape[1], float(weights.sum())
    if n_classes < 2 or not total_weight > 0:
        return 1.0
    other = np.ones(scores.shape, dtype=bool)
    other[np.arange(len(codes)), codes] = False
    own, rest = scores[~other], scores[other].reshape(len(codes), -1)
    own_mean, rest_mean = weights @ own / total_weight, weights @ rest.mean(axis=1) / total_weight
    gap = own_mean - rest_mean
    pairs, share = total_weight * n_classes, (n_classes - 1) / n_classes
    within = weights @ (own - own_mean) ** 2 + weights @ ((rest - rest_mean) ** 2).sum(axis=1)
    total = within + gap**2 * total_weight * share
    if not total > 0:  # every score the same
        return 1.0
    variance = (within + total / pairs) / max(pairs - 1.0, 1.0)
    deviation = float(np.sqrt(variance))
    error = deviation / np.sqrt(total_weight * share)
    counted = max(gap, deviation) if vouched else max(gap - 2.0 * error, 0.1 * deviation)
    return float(share * counted / variance)


def fit_inverse_temperatures(
    experts: list[ScoreSource],
    log_priors: FloatArray,
    codes: IntArray,
    weights: FloatArray,
    start: FloatArray | None = None,
) -> tuple[FloatArray, float]:
    """Fit the positive scales s of the logits ``sum_k s_k scores_k + log_priors``.

    Newton's method in log s minimises the negative log-likelihood plus
    ½ sum_k (log s_k - log expected_k)². This prior weighs about as much as one row; it keeps the
    scales finite even if every row is scored right by far.

    Parameters
    ----------
    experts : list of K ScoreSource
    log_priors : ndarray of shape (C,)
    codes : ndarray of shape (n,), int
    weights : ndarray of shape (n,)
    start : ndarray of shape (K,), optional
        First guess of log (s / expected).

    Returns
    -------
    scales : ndarray of shape (K,)
    loss : float
        Penalised negative log-likelihood, in nats.
    """
    F = np.stack([expert.scores for expert in experts])
    expected = np.array([expert.expected for expert in experts])
    every = np.arange(len(codes))
    right = F[:, every, codes]

    def loss_at(u: FloatArray) -> tuple[float, FloatArray]:
        S = np.tensordot(expected * np.exp(u), F, 1) + log_priors
        S -= S[every, codes][:, None]
        top = S.max(axis=1, keepdims=True)
        P = np.exp(S - top)
        mass = P.sum(axis=1, keepdims=True)
        return float(weights @ (np.log(mass) + top)[:, 0] + 0.5 * u @ u), P / mass

    u = np.zeros(len(experts)) if start is None else start
    value, P = loss_at(u)
    for _ in range(NEWTON_STEPS):
        s = expected * np.exp(u)
        FP = F * P
        mean = FP.sum(axis=2)
        gradient = s * ((mean - right) @ weights)
        FP *= weights[:, None]
        curvature = np.tensordot(FP, F, ([1, 2], [1, 2])) - (mean * weights) @ mean.T
        curvature = curvature * np.outer(s, s) + np.diag(np.maximum(gradient, 0.0) + 1.0)
        step = np.clip(np.linalg.solve(curvature, gradient + u), -2.0, 2.0)
        for shrink in (1.0, 0.25, 0.0625):
            new_value, new_P = loss_at(u - shrink * step)
            if new_value <= value:
                break
        else:
            break
        gain, u, value, P = value - new_value, u - shrink * step, new_value, new_P
        if gain < ENOUGH:
            break
    return expected * np.exp(u), value


def fit_temperature(scores: FloatArray, codes: IntArray, weights: FloatArray) -> float:
    """Choose T so that softmax(scores / T) are calibrated probabilities.

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
        1 / s with s from `fit_inverse_temperatures`; finite even if every row is scored right.
    """
    if not len(codes) or scores.shape[1] < 2:
        return 1.0
    centred = scores - scores.mean(axis=1, keepdims=True)
    source = ScoreSource(centred, initial_inverse_temperature(centred, codes, weights))
    scales, _ = fit_inverse_temperatures([source], np.zeros(scores.shape[1]), codes, weights)
    return float(1.0 / scales[0])


def nonconformity_score(logits: FloatArray) -> FloatArray:
    """Return -log p_c of logits (n, C), shape (n, C): large for classes that a row does not fit."""
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
        Mean of |accuracy - mean confidence| over bins, weighted by their number of rows.
    """
    bins = np.minimum((confidence * n_bins).astype(np.int64), n_bins - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(confidence))
