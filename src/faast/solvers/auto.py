"""Auto: choose a classifier in closed form from what was learned, with nothing to tune.

A Gaussian discriminant scores the rows. Its strength and temperature minimise the exact
leave-one-out log-loss of the sampled rows, under weak priors that decide while rows are few. With
more rows, a second discriminant scores random features. Class embeddings, if given, are a further
source of scores. All sources are scaled together by the same loss. A few half-steps along the
gradient of the log-loss at leave-one-out scores then correct what logistic regression would.
Where rows may have several labels, ridge scores each of them; see `faast.solvers.several`.

1. Rows: metric A = S + s μ I with a scatter S; means shrunk to the centre by kappa pseudo-rows.

   - Two rows per class on average, or more: S within classes, kappa = 1 (a unit-information prior),
     μ = tr S / f, the shrinkage of Kubokawa & Srivastava (2008) that GDA (Wang et al., ICLR 2024)
     uses at s = 1; log s ~ N(0, one decade).
   - Fewer ("one shot"): S about the centre, which contains the signal too. So s = 1 and μ is the
     largest eigenvalue: no direction weighs less than half as much as another. kappa = 2 is a
     fixed default, as one row per class tells nothing about the spread of classes.

   Columns of tables with units (see `is_table`) and of random features are divided by their
   estimated standard deviation (`standard_deviations`).
2. Random features: with more than `MAPPED_ROWS` rows and `MAPPED_ROWS_PER_CLASS` per class, if
   those of a few thousand rows lower the leave-one-out loss of the sampled rows as BIC demands.
   Both sets of rows are chosen by hash, so this depends on what was learned and not on its order.
   Where classes are linear no more is mapped or summed.
3. Inverse temperatures: `fit_inverse_temperatures`. At one shot the row scores get the slope
   expected for a new row, rho V / v with V and v the mean squares of own and other scores.
4. Class embeddings: scores xᵀ(e_c - mean e). At one shot only these are scores of unlearned rows;
   the ratio of their fitted scale to the Gaussian estimate corrects the scale of the row scores.
5. Steps: floor(log2(rows per class)) times W += ½ Zᵀ(Y - P) / L, with P at left-out scores and L
   the mean trace of the Fisher blocks; |diag p - ppᵀ| <= 2 max p (1 - p) makes ½ safe (cf. Böhning
   1992). Leave-one-out does not choose the step length, as it is used for the residuals already.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.blocks import row_blocks
from faast.core.feature_rows import FeatureRows
from faast.core.moments import Moments
from faast.core.random_features import RandomFeatures
from faast.core.sample import RowArrays
from faast.core.statistics import Statistics
from faast.core.weights import FastWeights, FeatureWeights
from faast.solvers.base import ClassPrior, Solution, Solver
from faast.solvers.calibration import (
    ScoreSource,
    fit_inverse_temperatures,
    initial_inverse_temperature,
)
from faast.solvers.columns import is_table, standard_deviations
from faast.solvers.gaussian import (
    ClassesLeftOut,
    GaussianClasses,
    Metric,
    SolvedClasses,
    walk_downhill,
)
from faast.solvers.ridge import Ridge
from faast.solvers.several import LogOdds, take_half_steps
from faast.solvers.triangular import TINY

STRENGTHS = 10.0 ** np.arange(-1.5, 1.6, 0.5)
"""Candidates for s, the floor of the metric in units of μ."""

DECADE = np.log(10.0)
PSEUDO_ROWS = 1.0
ONE_SHOT_PSEUDO_ROWS = 2.0

POOLING = 0.5
"""Factor on row scores beside class embeddings at one shot, as their errors are dependent."""

TRIAL_ROWS, TRIAL_SHARE, TRIAL_SCORES = 512, 4, 2**18
"""Strengths are compared on a quarter of the sampled rows and at least 512, those of the lowest
hashes; with many classes on fewer, down to 128, so that few scores have to be computed."""

CALIBRATION_SCORES = 2**20
"""Temperatures are fitted to this many scores; every row counts while they are fewer."""

MAPPED_ROWS = 1024
MAPPED_ROWS_PER_CLASS = 32
"""With fewer rows, or fewer per class, random features cost more time than they gain accuracy."""

FEATURE_TRIAL_ROWS = 4096
"""Random features of this many rows, those of the lowest hashes, tell whether more are worth it."""

EVIDENCE = 1.0
"""How often log n a trial of random features must lower the loss: by BIC, the price of two
parameters."""

STEP = 0.5
EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Auto(Solver):
    """Chooses a classifier by leave-one-out (see the module); for real values, uses ``Ridge()``."""

    maps_features: ClassVar[bool] = True

    def fit(self, statistics: Statistics) -> Solution:
        """Solve for real values: ridge with its strength chosen by leave-one-out."""
        return Ridge().fit(statistics)

    def fit_log_odds(self, statistics: Statistics) -> LogOdds:
        """Solve for several labels a row: ridge, then half-steps; see `solvers.several`."""
        return take_half_steps(super().fit_log_odds(statistics), statistics.sampled_rows())

    def fit_classes(self, statistics: Statistics, prior: ClassPrior) -> Solution:
        """Choose a classifier; scores are log-probabilities up to a constant per row.

        `Solution.loo_scores` are exact up to the gradient steps, from which each row's own
        contribution to its scores is subtracted.

        Parameters
        ----------
        statistics : Statistics
            Values are one-hot.
        prior : ClassPrior
            With `balanced`, priors are equal, the centre is the mean of the class means, and every
            class has the same total weight in every loss.
        """
        moments, rows = statistics.moments, statistics.sampled_rows()
        deviations = standard_deviations(moments) if is_table(moments) else None
        plain = _View.of(moments, statistics, rows, deviations, prior.balanced)
        counts = plain.classes.counts
        if prior.balanced:
            equal = counts.sum() / np.count_nonzero(counts) / np.where(counts > 0, counts, np.inf)
            rows = rows._replace(weights=rows.weights * equal[plain.left_out.codes])
        smoothed = np.ones_like(counts) if prior.balanced else counts + 1.0
        log_priors = np.log(smoothed / smoothed.sum())
        E = prior.embeddings
        zero_shot = None if E is None else (E - E.mean(axis=0)).T
        if plain.classes.one_shot:
            readers, scales = _one_shot(plain, rows, log_priors, zero_shot)
            scored = _add_up(statistics, rows, readers, scales, log_priors, zero_shot)
        else:
            readers = [_read_best(plain, rows.weights, log_priors)]
            per_class = moments.count / np.count_nonzero(counts)
            enough = moments.count > MAPPED_ROWS and per_class > MAPPED_ROWS_PER_CLASS
            if statistics.maps and enough:
                readers += _read_features(statistics, rows, readers[0], log_priors, prior.balanced)
            scales, _ = _fit_scales(readers, rows, log_priors, zero_shot)
            scored = _add_up(statistics, rows, readers, scales, log_priors, zero_shot)
            scored = _take_steps(scored, plain, rows)
        return Solution(scored.weights, lambda: scored.loo_scores, scored.leave_out)


class _Scored(NamedTuple):
    """Weights, leave-one-out scores (n, C) of the sampled rows, and how to score other rows."""

    weights: FastWeights
    loo_scores: AnyArray
    leave_out: Callable[[RowArrays], FloatArray]


@dataclass(frozen=True, eq=False)
class _View:
    """Gaussian classes of rows, or of their random features, with leave-one-out scores."""

    classes: GaussianClasses
    left_out: ClassesLeftOut
    see: Callable[[RowArrays], RowArrays]
    """Maps rows to those of this view."""
    features: RandomFeatures | None = None

    @classmethod
    def of(
        cls,
        moments: Moments,
        statistics: Statistics,
        rows: RowArrays,
        scale: FloatArray | None,
        balanced: bool,
        see: Callable[[RowArrays], RowArrays] = lambda rows: rows,
        features: RandomFeatures | None = None,
        *,
        single: bool = False,
    ) -> _View:
        """Summarise moments and prepare leave-one-out scores of the sampled rows."""
        rows = see(rows)
        every_row = rows if statistics.rows.complete else None
        classes = GaussianClasses.from_moments(
            moments, every_row, scale=scale, balanced=balanced, single=single
        )
        return cls(classes, classes.left_out(rows), see, features)

    @cached_property
    def unit(self) -> float:
        """What strengths are multiples of: μ, or a number above 0 if there is no scatter."""
        classes = self.classes
        # there is none within classes if all rows of each class are equal
        spread = float(classes.counts @ (classes.means**2).sum(axis=1)) + classes.trace
        return max(classes.trace / classes.degrees, 1e-12 * spread, TINY)

    def leave_out(self, rows: RowArrays, solved: SolvedClasses) -> AnyArray:
        """Return centred scores (n, C) of learned rows, each left out."""
        return _centred(self.classes.left_out(self.see(rows)).scores(solved))


class _Reader(NamedTuple):
    """A discriminant in one view, with its centred scores (n, C) of the left-out rows."""

    view: _View
    solved: SolvedClasses
    scores: AnyArray
    scale: float = 1.0
    """First guess of the factor on the scores."""


def _read_features(
    statistics: Statistics,
    rows: RowArrays,
    plain: _Reader,
    log_priors: FloatArray,
    balanced: bool,
) -> list[_Reader]:
    """Return a discriminant of random features, unless a trial finds the classes linear."""
    learned = statistics.feature_rows()
    view = _mapped_view(statistics, learned.first(FEATURE_TRIAL_ROWS), rows, balanced)
    solved = view.classes.solve(Metric(1.0, view.unit, PSEUDO_ROWS))
    scores = _centred(view.left_out.scores(solved, solved.precision))
    guess = initial_inverse_temperature(scores, view.left_out.codes, rows.weights)
    trial = _Reader(view, solved, scores, guess)
    (_, without), (_, loss) = (
        _fit_scales(readers, rows, log_priors, None) for readers in ([plain], [plain, trial])
    )
    if without - loss < EVIDENCE * np.log(len(rows.keys)):
        return []
    if len(learned.rows) > FEATURE_TRIAL_ROWS:
        view = _mapped_view(statistics, learned, rows, balanced)
    return [_read_best(view, rows.weights, log_priors)]


def _mapped_view(
    statistics: Statistics, learned: FeatureRows, rows: RowArrays, balanced: bool
) -> _View:
    """Return the view of as many random features as the number of learned rows allows."""
    features, mapped = learned.sum_features()
    single = not statistics.rows.complete or len(rows.keys) >= features.width
    dtype = np.float32 if single else np.float64

    def see(rows: RowArrays) -> RowArrays:
        units = features.grid.rounded(rows.keys)
        weights = np.where(learned.rows.samples(units), rows.weights, 0.0)
        return RowArrays(features(units).astype(dtype, copy=False), rows.values, weights)

    scale = standard_deviations(mapped)
    return _View.of(mapped, statistics, rows, scale, balanced, see, features, single=single)


def _fit_scales(
    readers: list[_Reader], rows: RowArrays, log_priors: FloatArray, zero_shot: FloatArray | None
) -> tuple[FloatArray, float]:
    """Return the scales of smallest leave-one-out loss, of class embeddings last, and that loss."""
    left_out = readers[0].view.left_out
    some = slice(max(CALIBRATION_SCORES // len(log_priors), TRIAL_ROWS))
    can = np.flatnonzero(left_out.leavable[some])
    codes, weights = left_out.codes[can], rows.weights[can]
    given = [reader.scores[can] for reader in readers]
    sources = [ScoreSource(s, initial_inverse_temperature(s, codes, weights)) for s in given]
    guesses = [reader.scale for reader in readers]
    if zero_shot is not None:
        scores = rows.keys[can] @ zero_shot
        expected = initial_inverse_temperature(scores, codes, weights, vouched=True)
        sources.append(ScoreSource(scores, expected))
        guesses.append(expected)
    start = np.log(
        [guess / source.expected for guess, source in zip(guesses, sources, strict=True)]
    )
    return fit_inverse_temperatures(sources, log_priors, codes, weights, start)


def _read_best(view: _View, weights: FloatArray, log_priors: FloatArray) -> _Reader:
    """Choose the strength of smallest loss, with the scale fitted anew for each one tried."""
    classes, n_classes = view.classes, len(view.classes.counts)
    n_tried = max(TRIAL_ROWS, len(weights) // TRIAL_SHARE)
    n_tried = min(n_tried, max(TRIAL_SCORES // n_classes, TRIAL_ROWS // 4))
    trial, rest = view.left_out.split(n_tried)
    can = trial.leavable
    codes, tried_weights = trial.codes[can], weights[: len(can)][can]
    share = tried_weights.sum() / max(weights[view.left_out.leavable].sum(), TINY)
    tried: dict[int, _Reader] = {}
    last = np.zeros(1)

    def loss(index: int) -> float:
        nonlocal last
        solved = classes.solve(Metric(1.0, STRENGTHS[index] * view.unit, PSEUDO_ROWS))
        every = _centred(trial.scores(solved, solved.precision))
        scores = every if can.all() else every[can]
        source = ScoreSource(scores, initial_inverse_temperature(scores, codes, tried_weights))
        scales, value = fit_inverse_temperatures([source], log_priors, codes, tried_weights, last)
        tried[index] = _Reader(view, solved, every, float(scales[0]))
        last = np.log(scales / source.expected)  # where the next strength starts
        return value + 0.5 * share * (np.log(STRENGTHS[index]) / DECADE) ** 2

    best = tried[walk_downhill(loss, len(STRENGTHS))]
    others = _centred(rest.scores(best.solved, best.solved.precision))
    return best._replace(scores=np.concatenate([best.scores, others]))


def _centred(scores: AnyArray) -> AnyArray:
    """Subtract the mean of each row from scores (n, C), in place."""
    scores -= scores.mean(axis=1, keepdims=True)
    return scores


def _one_shot(
    view: _View, rows: RowArrays, log_priors: FloatArray, zero_shot: FloatArray | None
) -> tuple[list[_Reader], FloatArray]:
    """Use the fixed defaults, calibrated by class embeddings if there are any."""
    largest = float(np.linalg.eigvalsh(view.classes.scatter).max(initial=0.0)) or 1.0
    solved = view.classes.solve(Metric(1.0, largest, ONE_SHOT_PSEUDO_ROWS))
    reader = _Reader(view, solved, _centred(view.left_out.scores(solved)))
    slope = _unseen_slope(view, rows, solved)
    if zero_shot is None:
        return [reader], np.array([slope])
    scores, codes = rows.keys @ zero_shot, view.left_out.codes
    expected = initial_inverse_temperature(scores, codes, rows.weights, vouched=True)
    source = ScoreSource(scores, expected)
    fitted, _ = fit_inverse_temperatures([source], log_priors, codes, rows.weights)
    return [reader], np.array([POOLING * slope * fitted[0] / source.expected, fitted[0]])


def _unseen_slope(view: _View, rows: RowArrays, solved: SolvedClasses) -> float:
    """Estimate the inverse temperature at one shot: mean own score over the variance of others.

    A learned row z adds zzᵀ to the scatter, which reduces its own score. The score of a new row
    would be zᵀ(A - zzᵀ)⁻¹z = D / (1 - D) with D = zᵀA⁻¹z.
    """
    own, others = view.left_out.self_products(solved)
    n_classes, weights = others.shape[1], rows.weights
    if n_classes < 2:
        return 1.0
    unseen = 1.0 / np.maximum(1.0 - own, 1e-6)
    others = others * unseen[:, None]
    others[np.arange(len(own)), view.left_out.codes] = 0.0
    variance = float(weights @ (others**2).sum(axis=1)) / max(weights.sum() * (n_classes - 1), 1.0)
    mean = float(weights @ (own * unseen) / weights.sum())
    return mean / variance * (n_classes - 1) / n_classes if variance > 0 else 1.0


def _add_up(
    statistics: Statistics,
    rows: RowArrays,
    readers: list[_Reader],
    scales: FloatArray,
    log_priors: FloatArray,
    zero_shot: FloatArray | None,
) -> _Scored:
    """Sum the sources of scores, each multiplied by its scale."""
    scaled = list(zip(readers, scales[: len(readers)], strict=True))
    plain, *mapped = [r.solved.weights().scale(scale) for r, scale in scaled]
    weights = replace(plain, bias=plain.bias + log_priors)
    scores = readers[0].scores * readers[0].scores.dtype.type(scales[0])
    for reader, scale in scaled[1:]:
        scores += reader.scores * reader.scores.dtype.type(scale)
    scores += log_priors.astype(scores.dtype)
    if zero_shot is not None:
        weights = replace(weights, matrix=weights.matrix + scales[-1] * zero_shot)
        scores = scores + scales[-1] * (rows.keys @ zero_shot)

    def leave_out(left: RowArrays) -> FloatArray:
        found = log_priors + sum(scale * r.view.leave_out(left, r.solved) for r, scale in scaled)
        return found if zero_shot is None else found + scales[-1] * (left.keys @ zero_shot)

    if mapped:
        features, matrix = readers[-1].view.features, mapped[0].matrix.astype(np.float64)
        assert features is not None
        weights = replace(weights, mapped=FeatureWeights(features, matrix, mapped[0].bias))
    return _Scored(weights, scores, leave_out)


def _take_steps(scored: _Scored, view: _View, rows: RowArrays) -> _Scored:
    """Take the half-steps along the gradient of the leave-one-out log-loss."""
    classes, Z, weights = view.classes, view.left_out.coordinates, rows.weights
    codes, leavable = view.left_out.codes, view.left_out.leavable
    size = float(np.vdot(Z, Z))
    if size < TINY:
        return scored  # all rows are equal, and no step leads anywhere
    unit = 2.0 ** round(0.5 * np.log2(size))  # changes no digit, and float32 does not overflow
    rough = np.divide(Z, unit, dtype=np.float32, casting="same_kind")  # few digits tell a direction
    energy = np.einsum("ij,ij->i", rough, rough).astype(np.float64)
    weighted = rough * weights[:, None].astype(np.float32)
    scores = scored.loo_scores.astype(np.float32)
    n_classes, total_weight = len(classes.counts), max(float(weights.sum()), TINY)
    total = np.zeros((rough.shape[1], n_classes))
    rows_per_class = classes.counts.sum() / np.count_nonzero(classes.counts)
    residuals = np.empty_like(scores)
    for _ in range(int(np.log2(rows_per_class))):
        entropy = 0.0
        for block in row_blocks(*scores.shape):
            R = residuals[block]
            np.subtract(scores[block], scores[block].max(axis=1, keepdims=True), out=R)
            np.exp(R, out=R)
            at = np.arange(len(R)), codes[block]
            own, R[at] = R[at], 0.0
            # 1 - p is the sum of the others: it keeps its digits where rows are certain
            wrong = np.einsum("ij->i", R)
            mass = own + wrong
            R /= mass[:, None]
            wrong /= mass
            entropy += float(
                weights[block] @ (wrong * (1.0 + own / mass) - np.einsum("ij,ij->i", R, R))
            )
            R[at] = -wrong
            R *= leavable[block, None]
        entropy = max(entropy / total_weight, EPSILON)
        length = -STEP / max(float(energy @ weights) * entropy / n_classes, TINY)
        step = (weighted.T @ residuals) * np.float32(length)
        total += step
        scores += rough @ step
        residuals *= (length * energy).astype(np.float32)[:, None]
        scores -= residuals  # the row's own contribution
    found, frame = scored.weights, classes.frame
    total = (frame.lift(total.T) / (unit * frame.scale)).T
    moved = replace(found, matrix=found.matrix + total, bias=found.bias - frame.centre @ total)

    def leave_out(left: RowArrays) -> FloatArray:
        """Move the scores of rows that contributed nothing to the steps."""
        return scored.leave_out(left) + (left.keys - frame.centre) @ total

    return _Scored(moved, scores, leave_out)
