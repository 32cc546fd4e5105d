"""Linear discriminant: class means seen through the shrunk covariance that classes share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import log_softmax

from faast._utils.arrays import FloatArray
from faast.core.moments import Moments
from faast.core.sample import RowSample
from faast.core.weights import FastWeights
from faast.solvers.base import Solver
from faast.solvers.gaussian import ClassesLeftOut, GaussianClasses, Metric
from faast.solvers.spectrum import rows_in_units

SHRINKAGES = np.array([1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.95, 0.99])
DEFAULT_SHRINKAGE = 0.5


@dataclass(frozen=True)
class Discriminant(Solver):
    """Scores are the log-likelihoods of Gaussian classes with one covariance, plus log priors.

    W = Σ⁻¹ M and bias_c = -½ m_cᵀ Σ⁻¹ m_c + log(n_c / N), with the class means m_c in M and
    Σ = (1 - shrinkage) S / f + shrinkage · (its mean eigenvalue) · I, S the scatter within classes
    with f degrees of freedom; see `GaussianClasses`, also for fewer than two rows a class.

    Parameters
    ----------
    shrinkage : float or "loo"
        In (0, 1], or the value with the smallest leave-one-out negative log-likelihood on the kept
        rows (0.5 where nothing can be left out).

    Notes
    -----
    Values must be classes: every row has a single 1 and else zeros.
    """

    shrinkage: float | Literal["loo"] = "loo"

    def __post_init__(self) -> None:
        if isinstance(self.shrinkage, str):
            if self.shrinkage != "loo":
                raise ValueError(f'shrinkage must be a number or "loo", got {self.shrinkage!r}')
        elif not 0.0 < self.shrinkage <= 1.0:
            raise ValueError(f"shrinkage must be in (0, 1], got {self.shrinkage}")

    def solve(self, moments: Moments, rows: RowSample | None = None) -> FastWeights:
        """Solve; `FastWeights.strength` is the shrinkage. See `Solver.solve`."""
        kept = None if rows is None else rows_in_units(moments, rows)
        every_row = kept if rows is not None and rows.complete else None
        classes = GaussianClasses.of(moments, every_row)
        shrinkage = self.shrinkage
        if isinstance(shrinkage, str):
            shrinkage = DEFAULT_SHRINKAGE
            if kept is not None and len(kept.keys):
                left_out = classes.left_out(kept)
                losses = [
                    _loss(classes, left_out, kept.weights, candidate) for candidate in SHRINKAGES
                ]
                if np.isfinite(losses).any():
                    shrinkage = float(SHRINKAGES[np.nanargmin(losses)])
        weights = classes.weights(_metric(classes, shrinkage))
        return replace(weights, bias=weights.bias + _log_priors(classes), strength=shrinkage)

    def loo_values(self, moments: Moments, rows: RowSample, weights: FastWeights) -> FloatArray:
        """Predict rows without themselves; see `Solver.loo_values`."""
        kept = rows_in_units(moments, rows)
        classes = GaussianClasses.of(moments, kept if rows.complete else None)
        left_out = classes.left_out(kept)
        return left_out.scores(_metric(classes, weights.strength)) + _log_priors(classes)


def _metric(classes: GaussianClasses, shrinkage: float) -> Metric:
    mean_eigenvalue = classes.eigenvalues.sum() / classes.degrees / len(classes.basis)
    return Metric((1.0 - shrinkage) / classes.degrees, shrinkage * (mean_eigenvalue or 1.0))


def _log_priors(classes: GaussianClasses) -> FloatArray:
    return np.log(np.maximum(classes.counts, 0.5) / max(float(classes.counts.sum()), 1.0))


def _loss(
    classes: GaussianClasses, left_out: ClassesLeftOut, weights: FloatArray, shrinkage: float
) -> float:
    """Mean negative log-likelihood of the rows that can be left out; NaN where there are none."""
    can = left_out.leavable
    if not can.any():
        return float("nan")
    scores = left_out.scores(_metric(classes, shrinkage))[can] + _log_priors(classes)
    likelihoods = log_softmax(scores, axis=1)[np.arange(can.sum()), left_out.codes[can]]
    return float(-(weights[can] @ likelihoods) / weights[can].sum())
