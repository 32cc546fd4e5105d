r"""Several labels a row: probabilities per label, and thresholds, from leave-one-out scores.

Values are 0 or 1, one column per label, and a solver predicts each by itself. Three steps make
probabilities and answers of its scores, without any row set aside:

1. `calibrate`: log-odds z = a (s - mean s) + b of each label, by logistic regression on the
   leave-one-out scores s of the sampled rows (Platt 1999). log a ~ N(log ā, 1), with the ā that is
   best for all labels together, and b ~ N(log-odds of (n₁ + ½) / (n + 1), 1), with n₁ of n rows
   that have the label. Each prior weighs about as much as one row, so that few rows, or rows that
   are all scored right, give finite values.
2. `take_half_steps`: round(√n / 2) times W += ½ Zᵀ(Y - P) / L, with P at left-out scores, where the
   own contribution of a row is subtracted, and L per label the trace of the Fisher matrix,
   Σ p (1 - p) |z|². These correct what logistic regression would; `Auto` takes them.
3. `choose_thresholds`: of calibrated probabilities, the threshold that maximises the expected F1 is
   half of that F1 (Lipton, Elkan & Naryanaswamy, ECML 2014). A label of n₁ rows gets
   (n₁ t + t̄) / (n₁ + 1) in log-odds: its own threshold t, and as if from one more row the t̄ that
   is best for the F1 of all labels together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from faast._utils.arrays import FloatArray
from faast._utils.floats import TINY
from faast.core.sample import RowArrays
from faast.core.weights import FastWeights
from faast.solvers.steps import STEP

NEWTON_STEPS = 30
LONGEST_STEP = 1.0

UNCALIBRATED_SLOPE = 4.0
"""Log-odds per unit of a score that predicts 0 or 1, near ½: used where no row is left out."""


class LogOdds(NamedTuple):
    """Weights that score log-odds of labels, and leave-one-out log-odds of the sampled rows.

    Attributes
    ----------
    weights : FastWeights
    loo : ndarray of shape (n, C)
    """

    weights: FastWeights
    loo: FloatArray


class LabelSolution(NamedTuple):
    """The solution for several labels a row.

    Attributes
    ----------
    weights : FastWeights
        Scores are the log-odds of each label less its threshold: labels above 0 are answered.
    loo_scores : ndarray of shape (n, C)
        Scores of the sampled rows, each left out.
    thresholds : ndarray of shape (C,)
        In log-odds.
    """

    weights: FastWeights
    loo_scores: FloatArray
    thresholds: FloatArray


def calibrate(weights: FastWeights, loo_scores: FloatArray, rows: RowArrays) -> LogOdds:
    """Turn scores of 0/1 values into log-odds; see step 1 of the module.

    Parameters
    ----------
    weights : FastWeights
    loo_scores : ndarray of shape (n, C)
        Scores of the sampled rows, each left out; fewer than two rows calibrate nothing.
    rows : RowArrays
    """
    if len(loo_scores) < 2:
        scale = np.full(len(weights.bias), UNCALIBRATED_SLOPE)
        offset = -0.5 * scale
        return LogOdds(_scaled(weights, scale, offset), scale * loo_scores + offset)
    mean = rows.weights @ loo_scores / rows.weights.sum()
    scale, offset = _fit_scales(loo_scores - mean, rows)
    offset = offset - scale * mean
    return LogOdds(_scaled(weights, scale, offset), scale * loo_scores + offset)


def take_half_steps(found: LogOdds, rows: RowArrays) -> LogOdds:
    """Take half-steps along the gradient of the leave-one-out log-loss; see step 2."""
    n = len(found.loo)
    if n < 2:
        return found
    weights, loo = rows.weights[:, None], found.loo
    centre = rows.weights @ rows.keys / rows.weights.sum()
    Z = rows.keys - centre
    energy = np.einsum("ij,ij->i", Z, Z)[:, None]
    total = np.zeros_like(found.weights.matrix)
    for _ in range(round(float(np.sqrt(n)) / 2)):
        P = expit(loo)
        trace = (weights * energy * P * (1.0 - P)).sum(axis=0)
        R = (STEP / np.maximum(trace, TINY)) * (rows.values - P)
        step = Z.T @ (weights * R)
        loo = loo + Z @ step - np.minimum(weights, 1.0) * energy * R
        total += step
    moved = found.weights.matrix + total
    return LogOdds(
        replace(found.weights, matrix=moved, bias=found.weights.bias - centre @ total), loo
    )


def choose_thresholds(loo: FloatArray, rows: RowArrays) -> FloatArray:
    """Choose a threshold of the log-odds of each label, (C,); see step 3.

    Parameters
    ----------
    loo : ndarray of shape (n, C)
        Leave-one-out log-odds of the sampled rows; without rows the thresholds are 0.
    rows : RowArrays
    """
    n_labels = loo.shape[1]
    if not len(loo):
        return np.zeros(n_labels)
    P = expit(loo)
    own = np.array([_best_threshold(P[:, label], rows.weights) for label in range(n_labels)])
    common = _best_threshold(P.ravel(), np.repeat(rows.weights, n_labels))
    counts = rows.weights @ rows.values
    return (counts * own + common) / (counts + 1.0)


def answer_labels(found: LogOdds, rows: RowArrays) -> LabelSolution:
    """Choose thresholds, and subtract them from the log-odds."""
    thresholds = choose_thresholds(found.loo, rows)
    weights = replace(found.weights, bias=found.weights.bias - thresholds)
    return LabelSolution(weights, found.loo - thresholds, thresholds)


def _best_threshold(p: FloatArray, weights: FloatArray) -> float:
    """Return the log-odds above which the expected F1 of answering yes is largest."""
    order = np.argsort(-p, kind="stable")
    p, weights = p[order], weights[order]
    hits = np.cumsum(weights * p)
    expected_f1 = 2.0 * hits / np.maximum(hits[-1] + np.cumsum(weights), TINY)
    return float(logit(np.clip(0.5 * expected_f1.max(), TINY, 0.5)))


def _scaled(weights: FastWeights, scale: FloatArray, offset: FloatArray) -> FastWeights:
    return replace(weights, matrix=weights.matrix * scale, bias=weights.bias * scale + offset)


def _fit_scales(centred: FloatArray, rows: RowArrays) -> tuple[FloatArray, FloatArray]:
    """Fit scale a and offset b of each label to scores (n, C) of mean 0: the common ā, then a."""
    spread = float(np.sqrt(np.mean(centred**2))) or 1.0
    counts, n = rows.weights @ rows.values, rows.weights.sum()
    share = logit((np.clip(counts, 0.0, n) + 0.5) / (n + 1.0))
    start = np.full(len(share), -np.log(spread))
    common, b = _newton(start, share, share, centred, rows, together=True)
    u, b = _newton(common, b, share, centred, rows, together=False)
    return np.exp(u), b


def _newton(
    u: FloatArray,
    b: FloatArray,
    share: FloatArray,
    centred: FloatArray,
    rows: RowArrays,
    *,
    together: bool,
) -> tuple[FloatArray, FloatArray]:
    """Minimise the penalised log-loss in u = log a and b; one step of u for all if `together`."""
    expected, weights = u, rows.weights[:, None]
    for _ in range(NEWTON_STEPS):
        T = np.exp(u) * centred
        P = expit(T + b)
        R, curving = weights * (P - rows.values), weights * P * (1.0 - P)
        slope = np.einsum("ij,ij->j", R, T)
        gradient_u, gradient_b = slope + (u - expected), R.sum(axis=0) + (b - share)
        uu = np.einsum("ij,ij->j", curving, T**2) + np.maximum(slope, 0.0) + 1.0
        ub, bb = np.einsum("ij,ij->j", curving, T), curving.sum(axis=0) + 1.0
        gradient = gradient_u - ub * gradient_b / bb  # with b at its best
        curvature = uu - ub**2 / bb
        if together:
            gradient, curvature = gradient.sum(keepdims=True), curvature.sum(keepdims=True)
        step = np.clip(gradient / curvature, -LONGEST_STEP, LONGEST_STEP)
        u = u - step
        b = b - np.clip((gradient_b - ub * step) / bb, -2.0 * LONGEST_STEP, 2.0 * LONGEST_STEP)
    return u, b
