"""Linear discriminant analysis: Gaussian classes that share one shrunk covariance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.special import log_softmax

from faast._utils.arrays import FloatArray
from faast.core.statistics import Statistics
from faast.solvers.base import Solution, Solver
from faast.solvers.gaussian import ClassesLeftOut, GaussianClasses, Metric
from faast.solvers.search import walk_downhill

SHRINKAGES = np.array([1e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.95, 0.99])
DEFAULT_SHRINKAGE = 0.5


@dataclass(frozen=True)
class Discriminant(Solver):
    """Log-likelihoods of Gaussian classes with one covariance, plus log priors, as scores.

    W = Σ⁻¹ M and bias_c = -½ m_cᵀ Σ⁻¹ m_c + log(n_c / N), with the class means m_c in M and
    Σ = (1 - shrinkage) S / f + shrinkage · (its mean eigenvalue) · I, S the scatter within classes
    with f degrees of freedom. `GaussianClasses` says what S is with fewer than two rows per class.

    Parameters
    ----------
    shrinkage : float or "loo"
        In (0, 1]. "loo" chooses the value with the smallest leave-one-out negative log-likelihood
        of the sampled rows, or 0.5 if no row can be left out.

    Raises
    ------
    ValueError
        If the shrinkage is another text or out of range.

    Notes
    -----
    The values of every row must be one-hot: a single 1, and zeros elsewhere.
    """

    shrinkage: float | Literal["loo"] = "loo"

    def __post_init__(self) -> None:
        if isinstance(self.shrinkage, str):
            if self.shrinkage != "loo":
                raise ValueError(f'shrinkage must be a number or "loo", got {self.shrinkage!r}')
        elif not 0.0 < self.shrinkage <= 1.0:
            raise ValueError(f"shrinkage must be in (0, 1], got {self.shrinkage}")

    def fit(self, statistics: Statistics) -> Solution:
        """Solve; `FastWeights.strength` is the shrinkage. See `Solver.fit`."""
        rows = statistics.sampled_rows()
        every_row = rows if statistics.rows.complete else None
        classes = GaussianClasses.from_moments(statistics.moments, every_row)
        left_out = classes.left_out(rows)
        shrinkage = self._choose_shrinkage(classes, left_out, rows.weights)
        log_priors = _log_priors(classes)
        solved = classes.solve(_metric(classes, shrinkage))
        weights = solved.weights()
        weights = replace(weights, bias=weights.bias + log_priors, strength=shrinkage)

        def leave_out(rows: ClassesLeftOut) -> FloatArray:
            squares, _ = rows.self_products(solved)  # the weights leave -½ xᵀΣ⁻¹x of a row out
            return rows.scores(solved) + log_priors + 0.5 * squares[:, None]

        return Solution(
            weights, lambda: leave_out(left_out), lambda rows: leave_out(classes.left_out(rows))
        )

    def _choose_shrinkage(
        self, classes: GaussianClasses, left_out: ClassesLeftOut, weights: FloatArray
    ) -> float:
        """Choose the shrinkage with the smallest leave-one-out log-loss."""
        if not isinstance(self.shrinkage, str):
            return self.shrinkage
        can, log_priors = left_out.leavable, _log_priors(classes)
        if not can.any():
            return DEFAULT_SHRINKAGE

        def loss(index: int) -> float:
            solved = classes.solve(_metric(classes, float(SHRINKAGES[index])))
            scores = left_out.scores(solved)[can] + log_priors
            likelihoods = log_softmax(scores, axis=1)[np.arange(can.sum()), left_out.codes[can]]
            return float(-(weights[can] @ likelihoods) / weights[can].sum())

        return float(SHRINKAGES[walk_downhill(loss, len(SHRINKAGES), len(SHRINKAGES) // 2)])


def _metric(classes: GaussianClasses, shrinkage: float) -> Metric:
    mean_eigenvalue = classes.trace / classes.degrees / len(classes.frame.centre)
    return Metric((1.0 - shrinkage) / classes.degrees, shrinkage * (mean_eigenvalue or 1.0))


def _log_priors(classes: GaussianClasses) -> FloatArray:
    return np.log(np.maximum(classes.counts, 0.5) / max(float(classes.counts.sum()), 1.0))
