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
   the leave-one-out residuals of the sampled rows depend on a few of them (see
   `faast.solvers.rao_score`). Where classes are linear nothing more is mapped or summed.
3. Inverse temperatures: `fit_inverse_temperatures`. At one shot the row scores get the slope
   expected for a new row, rho V / v with V and v the mean squares of own and other scores.
4. Class embeddings: scores xᵀ(e_c - mean e). At one shot only these are scores of unlearned rows;
   the ratio of their fitted scale to the Gaussian estimate corrects the scale of the row scores.
5. Steps: floor(log2(rows per class)) times W += ½ Zᵀ(Y - P) / L, with P at left-out scores and L
   the mean trace of the Fisher blocks; |diag p - ppᵀ| <= 2 max p (1 - p) makes ½ safe (cf. Böhning
   1992). Leave-one-out does not choose the step length, as it is used for the residuals already.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from faast._utils.arrays import FloatArray
from faast._utils.floats import TINY
from faast.core.sample import RowArrays
from faast.core.statistics import Statistics
from faast.core.weights import FeatureWeights
from faast.solvers.base import ClassPrior, Solution, Solver
from faast.solvers.calibration import (
    ScoreSource,
    fit_inverse_temperatures,
    initial_inverse_temperature,
)
from faast.solvers.columns import is_table, standard_deviations
from faast.solvers.gaussian import Metric
from faast.solvers.one_shot import read_one_shot
from faast.solvers.rao_score import products_score, residuals_of
from faast.solvers.ridge import Ridge
from faast.solvers.search import walk_downhill
from faast.solvers.several import LogOdds, take_half_steps
from faast.solvers.steps import Scored, take_steps
from faast.solvers.views import Reader, View, centred, mapped_view

STRENGTHS = 10.0 ** np.arange(-1.5, 1.6, 0.5)
"""Candidates for s, the floor of the metric in units of μ."""

ROWS_START, FEATURES_START = 3, 1
"""Where the search starts: at s = 1 for rows, and at 0.1 for random features, which need less."""

DECADE = np.log(10.0)
PSEUDO_ROWS = 1.0
TRIAL_ROWS, TRIAL_SHARE, TRIAL_SCORES = 512, 4, 2**18
"""Strengths are compared on a quarter of the sampled rows and at least 512, those of the lowest
hashes; with many classes on fewer, down to 128, so that few scores have to be computed."""

CALIBRATION_SCORES = 2**20
"""Temperatures are fitted to this many scores; every row counts while they are fewer."""

MAPPED_ROWS = 1024
MAPPED_ROWS_PER_CLASS = 32
"""With fewer rows, or fewer per class, random features cost more time than they gain accuracy."""

EVIDENCE = 3.0
"""Standard deviations by which residuals must depend on random features. A lower bar costs time
where classes are linear, a higher one accuracy where they are nearly so."""


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
        plain = View.of(moments, statistics, rows, deviations, prior.balanced)
        counts = plain.classes.counts
        if prior.balanced:
            equal = counts.sum() / np.count_nonzero(counts) / np.where(counts > 0, counts, np.inf)
            rows = rows._replace(weights=rows.weights * equal[plain.left_out.codes])
        smoothed = np.ones_like(counts) if prior.balanced else counts + 1.0
        log_priors = np.log(smoothed / smoothed.sum())
        E = prior.embeddings
        zero_shot = None if E is None else (E - E.mean(axis=0)).T
        if plain.classes.one_shot:
            readers, scales = read_one_shot(plain, rows, log_priors, zero_shot)
            scored = _add_up(rows, readers, scales, log_priors, zero_shot)
        else:
            readers = [_read_best(plain, rows.weights, log_priors)]
            if statistics.maps and _are_curved(statistics, readers[0], rows, log_priors):
                view = mapped_view(statistics, statistics.feature_rows(), rows, prior.balanced)
                readers.append(_read_best(view, rows.weights, log_priors))
            scales = _fit_scales(readers, rows, log_priors, zero_shot)
            scored = _add_up(rows, readers, scales, log_priors, zero_shot)
            scored = take_steps(scored, plain, rows)
        return Solution(scored.weights, lambda: scored.loo_scores, scored.leave_out)


def _are_curved(
    statistics: Statistics, plain: Reader, rows: RowArrays, log_priors: FloatArray
) -> bool:
    """Tell whether random features are worth their time: rows are many, and a test finds so."""
    classes, left_out = plain.view.classes, plain.view.left_out
    count, per_class = statistics.moments.count, classes.rows_per_class
    if count <= MAPPED_ROWS or per_class <= MAPPED_ROWS_PER_CLASS:
        return False
    if len(rows.keys) <= MAPPED_ROWS:  # these cannot tell
        return True
    logits = plain.scores * plain.scores.dtype.type(plain.scale)
    logits += log_priors.astype(logits.dtype)
    residuals = residuals_of(logits, left_out.codes, rows.weights * left_out.leavable)
    return products_score(statistics.rows, statistics.moments.key_grid, residuals) > EVIDENCE


def _fit_scales(
    readers: list[Reader], rows: RowArrays, log_priors: FloatArray, zero_shot: FloatArray | None
) -> FloatArray:
    """Return the scales of smallest leave-one-out loss, of class embeddings last."""
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
    return fit_inverse_temperatures(sources, log_priors, codes, weights, start)[0]


def _read_best(view: View, weights: FloatArray, log_priors: FloatArray) -> Reader:
    """Choose the strength of smallest loss, with the scale fitted anew for each one tried."""
    classes, n_classes = view.classes, len(view.classes.counts)
    n_tried = max(TRIAL_ROWS, len(weights) // TRIAL_SHARE)
    n_tried = min(n_tried, max(TRIAL_SCORES // n_classes, TRIAL_ROWS // 4))
    trial, rest = view.left_out.split(n_tried)
    can = trial.leavable
    codes, tried_weights = trial.codes[can], weights[: len(can)][can]
    share = tried_weights.sum() / max(weights[view.left_out.leavable].sum(), TINY)
    tried: dict[int, Reader] = {}
    last = np.zeros(1)

    def loss(index: int) -> float:
        nonlocal last
        solved = classes.solve(Metric(1.0, STRENGTHS[index] * view.unit, PSEUDO_ROWS))
        every = centred(trial.scores(solved, solved.precision))
        scores = every if can.all() else every[can]
        source = ScoreSource(scores, initial_inverse_temperature(scores, codes, tried_weights))
        scales, value = fit_inverse_temperatures([source], log_priors, codes, tried_weights, last)
        tried[index] = Reader(view, solved, every, float(scales[0]))
        last = np.log(scales / source.expected)  # where the next strength starts
        return value + 0.5 * share * (np.log(STRENGTHS[index]) / DECADE) ** 2

    start = ROWS_START if view.features is None else FEATURES_START
    best = tried[walk_downhill(loss, len(STRENGTHS), start)]
    others = centred(rest.scores(best.solved, best.solved.precision))
    return best._replace(scores=np.concatenate([best.scores, others]))


def _add_up(
    rows: RowArrays,
    readers: list[Reader],
    scales: FloatArray,
    log_priors: FloatArray,
    zero_shot: FloatArray | None,
) -> Scored:
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
    return Scored(weights, scores, leave_out)
