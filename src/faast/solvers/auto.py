"""What a discriminant reads: rows as they are, or their lift.

``solver="auto"``: a classifier chosen in closed form from what was learned, nothing to tune.

A Gaussian discriminant reads the memory; its strength and temperature minimise the exact
leave-one-out log-loss of the kept rows under weak priors that decide while there are few. With
more rows a second discriminant reads their fixed lift, and class embeddings, where given, are
another expert; all are scaled together by the same loss. A few half-steps along the gradient of
the log-loss at left-out scores add what logistic regression would correct.

1. Memory: metric A = S + s μ I, means shrunk to the centre by kappa pseudo-rows.

   - Two rows a class on average, or more: S within classes, kappa = 1 (a unit-information prior),
     μ = tr S / f, the shrinkage of Kubokawa & Srivastava (2008) that GDA (Wang et al., ICLR 2024)
     uses at s = 1; log s ~ N(0, one decade).
   - Fewer: S about the centre, which holds the signal too: s = 1, μ its largest eigenvalue, so
     that no direction is more than halved; kappa = 2, a stated default, as one row a class tells
     nothing of how classes spread.

   Rows of mean square norm above 4 are no embeddings but tables with units: their columns are
   divided by their standard deviation as far as it is known (`spread`), and so are lifted columns.
2. RandomFeatures: past `MAPPED_ROWS` rows and `MAPPED_ROWS_PER_CLASS`, see
`faast.core.random_features.RandomFeatures`.
3. Scales (inverse temperatures): `fit_inverse_temperatures`. At one shot the memory's slope is
what a new row
   would see, rho V / v with V and v the mean squares of own and other scores.
4. Class embeddings: scores xᵀ(e_c - mean e). At one shot they alone are out of sample; how far
   their fitted scale lies from the Gaussian one tells how far to trust the memory's.
5. Steps: round(log2(rows a class)) times W += ½ Zᵀ(Y - P) / L, with P at left-out scores and L the
   mean trace of the Fisher blocks; |diag p - ppᵀ| <= 2 max p (1 - p) makes ½ safe (cf. Böhning
   1992). The step length is not chosen by leave-one-out: the residuals already are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import polygamma, softmax

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.core.moments import Moments
from faast.core.random_features import random_features_on, shifts_for
from faast.core.sample import RowArrays
from faast.core.statistics import Statistics
from faast.core.weights import FastWeights, FeatureWeights
from faast.solvers.calibration import (
    ScoreSource,
    fit_inverse_temperatures,
    initial_inverse_temperature,
)
from faast.solvers.gaussian import TINY, ClassesLeftOut, GaussianClasses, Metric
from faast.solvers.spectrum import rows_in_units


@dataclass(frozen=True, eq=False)
class Side:
    """Gaussian classes of rows (or of lifted rows) and these rows left out."""

    classes: GaussianClasses
    left_out: ClassesLeftOut

    @classmethod
    def of(
        cls,
        moments: Moments,
        kept: RowArrays,
        learned: Statistics,
        scale: FloatArray | None,
        balanced: bool,
    ) -> Side:
        """Summarise moments, and prepare to leave out their kept rows.

        Parameters
        ----------
        moments : Moments
        kept : RowArrays
            In the units of the moments.
        learned : Learned
            Whose rows they are.
        scale : ndarray of shape (d,), optional
            Divide columns by it.
        balanced : bool
            See `GaussianClasses.of`.
        """
        every_row = kept if learned.rows.complete else None
        classes = GaussianClasses.of(moments, every_row, scale=scale, balanced=balanced)
        return cls(classes, classes.left_out(kept))

    @property
    def codes(self) -> IntArray:
        """Class of each kept row."""
        return self.left_out.codes


def mapped_data(learned: Statistics, kept: RowArrays, balanced: bool) -> Side:
    """Lift what was learned, as far as there are rows enough."""
    moments = learned.moments
    n_shifts = shifts_for(moments.count, moments.n_features)
    lifted = learned.with_mapped().leading(n_shifts)
    lift = random_features_on(moments.key_grid, moments.n_features, n_shifts)
    keys, _ = lifted.from_grid(lift(learned.rows.keys.astype(np.float64)), learned.rows.values)
    return Side.of(lifted, kept._replace(keys=keys), learned, spread(lifted), balanced)


def spread(moments: Moments) -> FloatArray:
    """Estimate the standard deviation of each column; 1 where a column does not vary.

    Log-variances of n rows are off by trigamma((n - 1) / 2) in the mean square. They are shrunk
    towards their mean by the share of this in their own variance (empirical Bayes, cf. Smyth 2004),
    so that columns of very different units are told apart by few rows, and columns that are much
    alike are not torn apart by chance.
    """
    plain = deviations(moments)
    varies = plain > 0.0
    if not varies.any():
        return np.ones(len(plain))
    logs = 2.0 * np.log(plain[varies])
    chance = float(polygamma(1, max(moments.count - 1.0, TINY) / 2.0))
    seen = float(logs.var())
    kept = max(seen - chance, 0.0) / max(seen, TINY)
    scale = np.ones(len(plain))
    scale[varies] = np.exp(0.5 * (logs.mean() + kept * (logs - logs.mean())))
    return scale


def deviations(moments: Moments) -> FloatArray:
    """Measure the standard deviation of each column; 0 where a column does not vary."""
    mean = moments.key_sum / moments.count
    squares = moments.key_square_sum / moments.count
    variance = squares - mean**2
    return np.sqrt(np.where(variance > 1e-12 * np.maximum(squares, TINY), variance, 0.0))


STRENGTHS = 10.0 ** np.arange(-1.5, 1.6, 0.5)
"""s, the metric's floor relative to its default."""

DECADE = np.log(10.0)
PSEUDO_ROWS = 1.0
ONE_SHOT_PSEUDO_ROWS = 2.0

POOLING = 0.5
"""The memory's share beside class embeddings at one shot: their errors are not independent."""

MAPPED_ROWS = 1024
MAPPED_ROWS_PER_CLASS = 32
"""With fewer rows, or fewer a class, a lift costs more time than it is seen to gain accuracy."""

STEP = 0.5
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, eq=False)
class Selected:
    """What selection found.

    Attributes
    ----------
    weights : FastWeights
        Scores are log-probabilities up to a constant a row.
    lifted : FeatureWeights or None
        To be added to them.
    loo_scores : ndarray of shape (n, C)
        Scores of the kept rows without themselves, in their order: exact before the steps, after
        them less each row's own push.
    """

    weights: FastWeights
    lifted: FeatureWeights | None
    loo_scores: FloatArray


def select(
    learned: Statistics, embeddings: FloatArray | None = None, *, balanced: bool = False
) -> Selected:
    """Choose a classifier.

    Parameters
    ----------
    learned : Learned
        Values are classes (one-hot).
    embeddings : ndarray of shape (C, d), optional
        What the frozen model says of each class.
    balanced : bool
        As if all classes had equally many rows: priors are equal, the centre is the mean of the
        class means, and rows of every class weigh the same in every loss.

    Raises
    ------
    ValueError
        Values are no classes.
    """
    moments = learned.moments
    kept = rows_in_units(moments, learned.rows)
    embedded = moments.key_square_sum.sum() <= 4.0 * moments.count
    plain = Side.of(moments, kept, learned, None if embedded else spread(moments), balanced)
    counts = plain.classes.counts
    if balanced:
        equal = counts.sum() / np.count_nonzero(counts) / np.where(counts > 0, counts, np.inf)
        kept = kept._replace(weights=kept.weights * equal[plain.codes])
    smoothed = np.ones_like(counts) if balanced else counts + 1.0
    log_priors = np.log(smoothed / smoothed.sum())
    zero_shot = None if embeddings is None else (embeddings - embeddings.mean(axis=0)).T
    if plain.classes.one_shot:
        memories, scales = _one_shot(plain, kept, log_priors, zero_shot)
    else:
        sides = [plain]
        per_class = moments.count / np.count_nonzero(counts)
        if learned.lifts and moments.count > MAPPED_ROWS and per_class > MAPPED_ROWS_PER_CLASS:
            sides.append(mapped_data(learned, kept, balanced))
        memories, scales = _by_leaving_out(sides, kept, log_priors, zero_shot)
    selected = _joined(learned, kept, memories, scales, log_priors, zero_shot)
    return selected if plain.classes.one_shot else _stepped(selected, plain, kept)


# -- choosing ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Memory:
    """A side with its metric chosen, as an expert on the kept rows."""

    side: Side
    metric: Metric
    expert: ScoreSource


def _by_leaving_out(
    sides: list[Side], kept: RowArrays, log_priors: FloatArray, zero_shot: FloatArray | None
) -> tuple[list[_Memory], FloatArray]:
    """Choose each side's strength, then all scales, by the leave-one-out loss."""
    can = sides[0].left_out.leavable
    codes, weights = sides[0].codes[can], kept.weights[can]
    memories, scales = [], np.ones(1)
    for side in sides:
        memory, scales = _strongest(side, can, codes, weights, log_priors)
        memories.append(memory)
    experts = [m.expert._replace(scores=m.expert.scores[can]) for m in memories]
    if zero_shot is not None:
        scores = kept.keys[can] @ zero_shot
        experts.append(
            ScoreSource(scores, initial_inverse_temperature(scores, codes, weights, vouched=True))
        )
    if len(experts) > 1:
        scales, _ = fit_inverse_temperatures(experts, log_priors, codes, weights)
    return memories, scales


def _strongest(
    side: Side, can: AnyArray, codes: IntArray, weights: FloatArray, log_priors: FloatArray
) -> tuple[_Memory, FloatArray]:
    """Walk downhill over strengths, each with the scale that suits it."""
    classes = side.classes
    # rows that all repeat have no scatter within classes
    spread = float(classes.counts @ (classes.means**2).sum(axis=1)) + classes.eigenvalues.sum()
    unit = max(classes.eigenvalues.sum() / classes.degrees, 1e-12 * spread, TINY)
    tried: dict[int, tuple[float, _Memory, FloatArray]] = {}
    last = np.zeros(1)

    def loss(index: int) -> float:
        nonlocal last
        if index not in tried:
            metric = Metric(1.0, STRENGTHS[index] * unit, PSEUDO_ROWS)
            scores = side.left_out.scores(metric)
            scores -= scores.mean(axis=1, keepdims=True)
            expert = ScoreSource(scores, initial_inverse_temperature(scores[can], codes, weights))
            here = [expert._replace(scores=scores[can])]
            scales, value = fit_inverse_temperatures(here, log_priors, codes, weights, last)
            last = np.log(scales / expert.expected)  # where the next strength starts
            value += 0.5 * (np.log(STRENGTHS[index]) / DECADE) ** 2
            tried[index] = value, _Memory(side, metric, expert), scales
        return tried[index][0]

    return tried[_downhill(loss, len(STRENGTHS))][1:]


def _downhill(loss: Callable[[int], float], n: int) -> int:
    """Return the local minimum over 0..n-1 that lies downhill from the middle."""
    at = n // 2
    loss(at)
    for direction in (1, -1):
        moved = False
        while 0 <= at + direction < n and loss(at + direction) < loss(at):
            at, moved = at + direction, True
        if moved:
            break
    return at


def _one_shot(
    side: Side, kept: RowArrays, log_priors: FloatArray, zero_shot: FloatArray | None
) -> tuple[list[_Memory], FloatArray]:
    """Take the stated defaults, calibrated by the class embeddings where there are some."""
    largest = float(side.classes.eigenvalues.max(initial=0.0)) or 1.0
    metric = Metric(1.0, largest, ONE_SHOT_PSEUDO_ROWS)
    scores = side.left_out.scores(metric)
    slope = _unseen_slope(side, kept, metric)
    memory = _Memory(side, metric, ScoreSource(scores - scores.mean(axis=1, keepdims=True), slope))
    if zero_shot is None:
        return [memory], np.array([slope])
    scores = kept.keys @ zero_shot
    expert = ScoreSource(
        scores, initial_inverse_temperature(scores, side.codes, kept.weights, vouched=True)
    )
    fitted, _ = fit_inverse_temperatures([expert], log_priors, side.codes, kept.weights)
    return [memory], np.array([POOLING * slope * fitted[0] / expert.expected, fitted[0]])


def _unseen_slope(side: Side, kept: RowArrays, metric: Metric) -> float:
    """Estimate the memory's slope at one shot: own scores over the variance of others, unseen.

    A row inside the scatter shortens itself: zᵀ(A - zzᵀ)⁻¹z = D / (1 - D) with D = zᵀA⁻¹z.
    """
    own, others = side.left_out.self_products(metric)
    n_classes, weights = others.shape[1], kept.weights
    if n_classes < 2:
        return 1.0
    unseen = 1.0 / np.maximum(1.0 - own, 1e-6)
    others = others * unseen[:, None]
    others[np.arange(len(own)), side.codes] = 0.0
    variance = float(weights @ (others**2).sum(axis=1)) / max(weights.sum() * (n_classes - 1), 1.0)
    mean = float(weights @ (own * unseen) / weights.sum())
    return mean / variance * (n_classes - 1) / n_classes if variance > 0 else 1.0


# -- joining -----------------------------------------------------------------------------------


def _joined(
    learned: Statistics,
    kept: RowArrays,
    memories: list[_Memory],
    scales: FloatArray,
    log_priors: FloatArray,
    zero_shot: FloatArray | None,
) -> Selected:
    """Add the experts up, each by its scale."""
    plain, *lifted = [
        _scaled(memory.side.classes.weights(memory.metric), scale)
        for memory, scale in zip(memories, scales[: len(memories)], strict=True)
    ]
    plain = replace(plain, bias=plain.bias + log_priors)
    scores = log_priors + sum(
        scale * memory.expert.scores
        for memory, scale in zip(memories, scales[: len(memories)], strict=True)
    )
    if zero_shot is not None:
        plain = replace(plain, matrix=plain.matrix + scales[-1] * zero_shot)
        scores = scores + scales[-1] * (kept.keys @ zero_shot)
    if not lifted:
        return Selected(plain, None, scores)
    in_units = FeatureWeights.of(learned.moments.key_grid, plain.matrix.shape[0], lifted[0])
    return Selected(plain, in_units, scores)


def _scaled(weights: FastWeights, scale: float) -> FastWeights:
    return replace(weights, matrix=scale * weights.matrix, bias=scale * weights.bias)


def _stepped(selected: Selected, side: Side, kept: RowArrays) -> Selected:
    """Walk the Fisher half-steps."""
    classes, scores = side.classes, selected.loo_scores
    Z, weights = (kept.keys - classes.centre) / classes.scale, kept.weights[:, None]
    energy = np.einsum("ij,ij->i", Z, Z)[:, None]
    total = np.zeros((Z.shape[1], scores.shape[1]))
    rows_a_class = classes.counts.sum() / np.count_nonzero(classes.counts)
    for _ in range(round(float(np.log2(rows_a_class)))):
        P = softmax(scores, axis=1)
        R = (kept.values - P) * side.left_out.leavable[:, None]
        entropy = float(kept.weights @ (1.0 - (P**2).sum(axis=1))) / kept.weights.sum()
        entropy = max(entropy, EPSILON)  # where all rows are certain, the difference is rounding
        trace = float((energy * weights).sum()) * entropy / scores.shape[1]
        R *= STEP / max(trace, TINY)
        step = Z.T @ (weights * R)
        scores = scores + Z @ step - energy * R  # a row does not see its own push
        total += step
    total /= classes.scale[:, None]
    found = selected.weights
    moved = replace(found, matrix=found.matrix + total, bias=found.bias - classes.centre @ total)
    return Selected(moved, selected.lifted, scores)
