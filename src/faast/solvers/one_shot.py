"""One row per class, or little more: fixed defaults, as there is nothing to choose them by."""

from __future__ import annotations

import numpy as np

from faast._utils.arrays import FloatArray
from faast.core.sample import RowArrays
from faast.solvers.calibration import (
    ScoreSource,
    fit_inverse_temperatures,
    initial_inverse_temperature,
)
from faast.solvers.gaussian import Metric, SolvedClasses
from faast.solvers.views import Reader, View, centred

ONE_SHOT_PSEUDO_ROWS = 2.0

POOLING = 0.5
"""Factor on row scores beside class embeddings at one shot, as their errors are dependent."""


def read_one_shot(
    view: View, rows: RowArrays, log_priors: FloatArray, zero_shot: FloatArray | None
) -> tuple[list[Reader], FloatArray]:
    """Use the fixed defaults, calibrated by class embeddings if there are any."""
    largest = float(np.linalg.eigvalsh(view.classes.scatter).max(initial=0.0)) or 1.0
    solved = view.classes.solve(Metric(1.0, largest, ONE_SHOT_PSEUDO_ROWS))
    reader = Reader(view, solved, centred(view.left_out.scores(solved)))
    slope = _unseen_slope(view, rows, solved)
    if zero_shot is None:
        return [reader], np.array([slope])
    scores, codes = rows.keys @ zero_shot, view.left_out.codes
    expected = initial_inverse_temperature(scores, codes, rows.weights, vouched=True)
    source = ScoreSource(scores, expected)
    fitted, _ = fit_inverse_temperatures([source], log_priors, codes, rows.weights)
    return [reader], np.array([POOLING * slope * fitted[0] / source.expected, fitted[0]])


def _unseen_slope(view: View, rows: RowArrays, solved: SolvedClasses) -> float:
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
