"""Calibration: fit temperatures on scores of rows that the model did not learn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_softmax

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast._utils.blocks import row_blocks
from faast._utils.rows import row_maxima

NEWTON_STEPS = 12
ENOUGH = 1e-2
"""Newton's method stops when a step would gain less than this many nats over all rows."""


class ScoreSource(NamedTuple):
    """One source of class scores.

    Attributes
    ----------
    scores : ndarray of shape (n, C), float32 or float64
    expected : float
        Estimate of their inverse temperature, from which a fit starts.
    """

    scores: AnyArray
    expected: float


def initial_inverse_temperature(
    scores: AnyArray, codes: IntArray, weights: FloatArray, *, vouched: bool = False
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
    own = scores[np.arange(len(codes)), codes]
    rest_mean = (np.einsum("ij->i", scores) - own) / (n_classes - 1)
    own_mean, others_mean = weights @ own / total_weight, weights @ rest_mean / total_weight
    gap = own_mean - others_mean
    pairs, share = total_weight * n_classes, (n_classes - 1) / n_classes
    squares = np.einsum("ij,ij->i", scores, scores) - own**2 - (n_classes - 1) * rest_mean**2
    within = weights @ (own - own_mean) ** 2 + weights @ np.maximum(squares, 0.0)
    total = within + gap**2 * total_weight * share
    if not total > 0:  # every score the same
        return 1.0
    variance = (within + total / pairs) / max(pairs - 1.0, 1.0)
    deviation = float(np.sqrt(variance))
    error = deviation / np.sqrt(total_weight * share)
    counted = max(gap, deviation) if vouched else max(gap - 2.0 * error, 0.1 * deviation)
    return float(share * counted / variance)


def fit_inverse_temperatures(
    sources: list[ScoreSource],
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
    sources : list of K ScoreSource
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
    expected = np.array([source.expected for source in sources])
    scores = [source.scores for source in sources]

    def descend(u: FloatArray) -> tuple[float, FloatArray, float]:
        """Return the loss at u, the step of Newton's method from there, and what it should gain."""
        s = expected * np.exp(u)
        value, slope, bend = _log_loss(s, scores, log_priors, codes, weights)
        gradient = s * slope
        curvature = bend * np.outer(s, s) + np.diag(np.maximum(gradient, 0.0) + 1.0)
        gradient += u
        step = np.clip(np.linalg.solve(curvature, gradient), -2.0, 2.0)
        return value + float(0.5 * u @ u), step, float(0.5 * gradient @ step)

    u = np.zeros(len(sources)) if start is None else start
    value, step, gain = descend(u)
    for _ in range(NEWTON_STEPS):
        if gain < ENOUGH:
            break
        for shrink in (1.0, 0.25, 0.0625):
            new_value, new_step, new_gain = descend(u - shrink * step)
            if new_value <= value:
                break
        else:
            break
        u, value, step, gain = u - shrink * step, new_value, new_step, new_gain
    return expected * np.exp(u), value


def _log_loss(
    s: FloatArray,
    scores: list[AnyArray],
    log_priors: FloatArray,
    codes: IntArray,
    weights: FloatArray,
) -> tuple[float, FloatArray, FloatArray]:
    """Return the negative log-likelihood at scales s, its gradient (K,) and curvature (K, K)."""
    value, gradient, curvature = 0.0, np.zeros(len(s)), np.zeros((len(s), len(s)))
    dtype = scores[0].dtype
    scales, offsets = s.astype(dtype), log_priors.astype(dtype)
    blocks = list(row_blocks(len(codes), len(log_priors)))
    room = np.empty((2, blocks[0].stop if blocks else 0, len(log_priors)), dtype)
    for block in blocks:
        F, w = [part[block] for part in scores], weights[block]
        own, (P, weighted) = (np.arange(len(w)), codes[block]), room[:, : len(w)]
        np.multiply(scales[0], F[0], out=P)
        for scale, part in zip(scales[1:], F[1:], strict=True):
            P += np.multiply(scale, part, out=weighted)
        P += offsets
        P -= row_maxima(P)[:, None]
        value -= float(w @ P[own])
        np.exp(P, out=P)
        mass = np.einsum("ij->i", P)
        value += float(w @ np.log(mass))
        means = np.array([np.einsum("ij,ij->i", P, part) for part in F]) / mass
        right = np.array([part[own] for part in F])
        gradient += (means - right) @ w
        curvature -= (means * w) @ means.T
        for k, part in enumerate(F):
            np.multiply(P, part, out=weighted)
            for j, other in enumerate(F[: k + 1]):
                products = np.einsum("ij,ij->i", weighted, other) / mass
                curvature[k, j] += w @ products
                curvature[j, k] = curvature[k, j]
    return value, gradient, curvature


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


class Judged(NamedTuple):
    """What scores of rows say, given the class of each row; arrays of shape (n,).

    Attributes
    ----------
    probability : ndarray, float64
        Largest class probability.
    right : ndarray, bool
        Whether the most probable class is the row's own.
    nonconformity : ndarray, float64
        `nonconformity_score` of the row's own class.
    """

    probability: FloatArray
    right: AnyArray
    nonconformity: FloatArray


def judge(logits: AnyArray, codes: IntArray) -> Judged:
    """Compare logits (n, C) of rows with their own classes (n,)."""
    judged = Judged(np.empty(len(codes)), np.empty(len(codes), np.bool_), np.empty(len(codes)))
    for block in row_blocks(*logits.shape):
        rows, own = np.arange(len(codes[block])), codes[block]
        best = logits[block].argmax(axis=1)
        shares = logits[block] - logits[block][rows, best][:, None]
        lag = shares[rows, own].astype(np.float64)
        mass = np.einsum("ij->i", np.exp(shares, out=shares)).astype(np.float64)
        judged.probability[block] = 1.0 / mass
        judged.right[block] = best == own
        judged.nonconformity[block] = np.log(mass) - lag
    return judged


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
