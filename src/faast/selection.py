"""``solver="auto"``: a classifier chosen in closed form from what was learned, nothing to tune.

A Gaussian discriminant reads the memory; its strength and temperature minimise the exact
leave-one-out log-loss of the kept rows under weak priors that decide while there are few. Class
embeddings, where given, are a second expert, scaled by the same loss. A few half-steps along the
gradient of the log-loss at left-out scores add what logistic regression would correct.

1. Memory: metric A = S + s μ I, means shrunk to the centre by kappa pseudo-rows.

   - Two rows a class on average, or more: S within classes, kappa = 1 (a unit-information prior),
     μ = tr S / f, the shrinkage of Kubokawa & Srivastava (2008) that GDA (Wang et al., ICLR 2024)
     uses at s = 1; log s ~ N(0, one decade).
   - Fewer: S about the centre, which holds the signal too: s = 1, μ its largest eigenvalue, so
     that no direction is more than halved; kappa = 2, a stated default, as one row a class tells
     nothing of how classes spread.
2. Scales (inverse temperatures): `fit_scales`. At one shot the memory's slope is what a new row
   would see, rho V / v with V and v the mean squares of own and other scores.
3. Class embeddings: scores xᵀ(e_c - mean e). At one shot they alone are out of sample; how far
   their fitted scale lies from the Gaussian one tells how far to trust the memory's.
4. Steps: round(log2(rows a class)) times W += ½ Zᵀ(Y - P) / L, with P at left-out scores and L the
   mean trace of the Fisher blocks; |diag p - ppᵀ| <= 2 max p (1 - p) makes ½ safe (cf. Böhning
   1992). The step length is not chosen by leave-one-out: the residuals already are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from faast._typing import FloatArray
from faast.moments import Moments
from faast.rows import KeptRows, RowArrays
from faast.scales import Expert, fit_scales, gaussian_slope
from faast.solvers.gaussian import ClassesLeftOut, GaussianClasses, Metric
from faast.solvers.spectrum import rows_in_units
from faast.weights import FastWeights

STRENGTHS = 10.0 ** np.arange(-1.5, 1.6, 0.5)
"""s, the metric's floor relative to its default."""

DECADE = np.log(10.0)
PSEUDO_ROWS = 1.0
ONE_SHOT_PSEUDO_ROWS = 2.0

POOLING = 0.5
"""The memory's share beside class embeddings at one shot: their errors are not independent."""

STEP = 0.5


@dataclass(frozen=True, eq=False)
class Selected:
    """What selection found.

    Attributes
    ----------
    weights : FastWeights
        Scores are log-probabilities up to a constant a row.
    loo_scores : ndarray of shape (n, C)
        Scores of the kept rows without themselves, in their order: exact before the steps, after
        them less each row's own push.
    """

    weights: FastWeights
    loo_scores: FloatArray


def select(
    moments: Moments,
    rows: KeptRows,
    embeddings: FloatArray | None = None,
    *,
    balanced: bool = False,
) -> Selected:
    """Choose a classifier.

    Parameters
    ----------
    moments : Moments
        Values are classes (one-hot).
    rows : KeptRows
        All rows or a sample.
    embeddings : ndarray of shape (C, d), optional
        What the frozen model says of each class.
    balanced : bool
        As if all classes had equally many rows.

    Raises
    ------
    ValueError
        Values are no classes.
    """
    classes = GaussianClasses.of(moments, rows, balanced=balanced)
    kept = rows_in_units(moments, rows)
    if balanced:
        kept = kept._replace(weights=kept.weights * _balance(classes)[kept.values.argmax(axis=1)])
    log_priors = _log_priors(classes, balanced)
    problem = _Problem(classes, kept, classes.left_out(kept), log_priors)
    zero_shot = None
    if embeddings is not None:
        zero_shot = _ZeroShot.of(embeddings, kept)
    choose = _one_shot if classes.one_shot else _by_leaving_out
    metric, scales = choose(problem, zero_shot)
    return _stepped(problem, metric, scales, zero_shot)


@dataclass(frozen=True, eq=False)
class _Problem:
    classes: GaussianClasses
    kept: RowArrays
    left_out: ClassesLeftOut
    log_priors: FloatArray


@dataclass(frozen=True, eq=False)
class _ZeroShot:
    matrix: FloatArray
    expert: Expert

    @classmethod
    def of(cls, embeddings: FloatArray, kept: RowArrays) -> _ZeroShot:
        matrix = (embeddings - embeddings.mean(axis=0)).T
        scores = kept.keys @ matrix
        codes = kept.values.argmax(axis=1)
        return cls(
            matrix, Expert(scores, gaussian_slope(scores, codes, kept.weights, vouched=True))
        )


def _balance(classes: GaussianClasses) -> FloatArray:
    """Weight of a row of each class that makes all classes count alike."""
    counts = classes.counts
    return counts.sum() / np.count_nonzero(counts) / np.where(counts > 0, counts, np.inf)


def _log_priors(classes: GaussianClasses, balanced: bool) -> FloatArray:
    counts = classes.counts
    smoothed = np.ones_like(counts) if balanced else counts + 1.0
    return np.log(smoothed / smoothed.sum())


def _by_leaving_out(problem: _Problem, zero_shot: _ZeroShot | None) -> tuple[Metric, FloatArray]:
    """Choose strength and scales by the leave-one-out loss."""
    classes, left_out = problem.classes, problem.left_out
    can = left_out.leavable
    codes, weights = left_out.codes[can], problem.kept.weights[can]
    # rows that all repeat have no scatter within classes
    spread = float(classes.counts @ (classes.means**2).sum(axis=1)) + classes.eigenvalues.sum()
    unit = max(classes.eigenvalues.sum() / classes.degrees, 1e-12 * spread, 1e-300)
    tried: dict[int, tuple[float, Expert, FloatArray]] = {}
    last = np.zeros(1)

    def loss(index: int) -> float:
        nonlocal last
        if index not in tried:
            scores = left_out.scores(_metric(unit, STRENGTHS[index]))[can]
            scores -= scores.mean(axis=1, keepdims=True)
            expert = Expert(scores, gaussian_slope(scores, codes, weights))
            scales, value = fit_scales([expert], problem.log_priors, codes, weights, last)
            last = np.log(scales / expert.expected)  # where the next strength starts
            value += 0.5 * (np.log(STRENGTHS[index]) / DECADE) ** 2
            tried[index] = value, expert, scales
        return tried[index][0]

    best = _downhill(loss, len(STRENGTHS))
    _, expert, scales = tried[best]
    if zero_shot is not None:
        seen = zero_shot.expert.scores[can]
        slope = gaussian_slope(seen, codes, weights, vouched=True)
        experts = [expert, Expert(seen, slope)]
        scales, _ = fit_scales(experts, problem.log_priors, codes, weights)
    return _metric(unit, STRENGTHS[best]), scales


def _metric(unit: float, strength: float) -> Metric:
    return Metric(gain=1.0, floor=strength * unit, kappa=PSEUDO_ROWS)


def _downhill(loss: Callable[[int], float], n: int) -> int:
    """Return the local minimum over 0..n-1 that lies downhill from the middle."""
    at = n // 2
    for direction in (1, -1):
        moved = False
        while 0 <= at + direction < n and loss(at + direction) < loss(at):
            at, moved = at + direction, True
        if moved:
            break
    return at


def _one_shot(problem: _Problem, zero_shot: _ZeroShot | None) -> tuple[Metric, FloatArray]:
    """Take the stated defaults, calibrated by the class embeddings where there are some."""
    largest = float(problem.classes.eigenvalues.max(initial=0.0)) or 1.0
    metric = Metric(gain=1.0, floor=largest, kappa=ONE_SHOT_PSEUDO_ROWS)
    slope = _unseen_slope(problem, metric)
    if zero_shot is None:
        return metric, np.array([slope])
    expert, codes = zero_shot.expert, problem.left_out.codes
    fitted, _ = fit_scales([expert], problem.log_priors, codes, problem.kept.weights)
    return metric, np.array([POOLING * slope * fitted[0] / expert.expected, fitted[0]])


def _unseen_slope(problem: _Problem, metric: Metric) -> float:
    """Estimate the memory's slope at one shot: own scores over the variance of others, unseen.

    A row inside the scatter shortens itself: zᵀ(A - zzᵀ)⁻¹z = D / (1 - D) with D = zᵀA⁻¹z.
    """
    own, others = problem.left_out.self_products(metric)
    n_classes, weights = others.shape[1], problem.kept.weights
    if n_classes < 2:
        return 1.0
    unseen = 1.0 / np.maximum(1.0 - own, 1e-6)
    others = others * unseen[:, None]
    others[np.arange(len(own)), problem.left_out.codes] = 0.0
    variance = float(weights @ (others**2).sum(axis=1)) / max(weights.sum() * (n_classes - 1), 1.0)
    mean = float(weights @ (own * unseen) / weights.sum())
    return mean / variance * (n_classes - 1) / n_classes if variance > 0 else 1.0


def _stepped(
    problem: _Problem, metric: Metric, scales: FloatArray, zero_shot: _ZeroShot | None
) -> Selected:
    """Join the experts and walk the Fisher half-steps."""
    classes, kept, left_out = problem.classes, problem.kept, problem.left_out
    memory = classes.weights(metric)
    matrix, bias = scales[0] * memory.matrix, scales[0] * memory.bias + problem.log_priors
    scores = left_out.scores(metric)
    scores = scales[0] * (scores - scores.mean(axis=1, keepdims=True)) + problem.log_priors
    if zero_shot is not None:
        matrix = matrix + scales[1] * zero_shot.matrix
        scores = scores + scales[1] * zero_shot.expert.scores
    if not classes.one_shot:
        Z, weights = kept.keys - classes.centre, kept.weights[:, None]
        energy = np.einsum("ij,ij->i", Z, Z)[:, None]
        rows_a_class = classes.counts.sum() / np.count_nonzero(classes.counts)
        for _ in range(round(float(np.log2(rows_a_class)))):
            P = softmax(scores, axis=1)
            R = (kept.values - P) * left_out.leavable[:, None]
            entropy = float(kept.weights @ (1.0 - (P**2).sum(axis=1))) / kept.weights.sum()
            trace = float((energy * weights).sum()) * entropy / len(bias)
            R *= STEP / max(trace, 1e-300)
            step = Z.T @ (weights * R)
            scores = scores + Z @ step - energy * R  # a row does not see its own push
            matrix, bias = matrix + step, bias - classes.centre @ step
    weights_found = FastWeights(
        matrix, bias, memory.rank, memory.condition, memory.explained, metric.floor
    )
    return Selected(weights_found, scores)
