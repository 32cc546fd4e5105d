"""Ridge regression with intercept, its strength given or chosen in closed form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from faast._utils.arrays import FloatArray
from faast.core.moments import Moments
from faast.core.sample import RowSample
from faast.core.weights import FastWeights
from faast.solvers.base import Solver
from faast.solvers.spectrum import LeaveOneOut, Spectrum, rows_in_units, spectrum

N_STRENGTHS = 53
FEW_ROWS = 4.0


@dataclass(frozen=True)
class Ridge(Solver):
    """W = (S + strength I)⁻¹ C on centred keys and values, bias from the means.

    Parameters
    ----------
    strength : float, "gcv" or "loo"
        Added to the eigenvalues of the centred Gram matrix S. "gcv" minimises the generalised
        cross-validation score, which needs the moments alone. "loo" minimises the squared
        leave-one-out error of the kept rows (all of them while there are few, else a sample), and
        falls back on "gcv" where no rows are kept.

    Notes
    -----
    With S = Q diag(w) Qᵀ, Z = Qᵀ C and f_i = strength / (w_i + strength):

    - RSS = t_perp + sum_i a_i f_i², a_i = |z_i|² / w_i, t_perp what no direction explains;
      N - df = N - 1 - r + sum_i f_i; GCV = N RSS / (N - df)² (Golub, Heath & Wahba 1979).
    - leave-one-out: see `LeaveOneOut`.

    Every criterion over-shrinks at one or two rows a class; where a class (a 0/1 value column) has
    fewer than four rows, the strength is capped at w_max / N.
    """

    strength: float | Literal["gcv", "loo"] = "loo"

    def __post_init__(self) -> None:
        if isinstance(self.strength, str):
            if self.strength not in ("gcv", "loo"):
                raise ValueError(
                    f'strength must be a number, "gcv" or "loo", got {self.strength!r}'
                )
        elif not (np.isfinite(self.strength) and self.strength >= 0):
            raise ValueError(f"strength must be finite and not negative, got {self.strength}")

    def solve(self, moments: Moments, rows: RowSample | None = None) -> FastWeights:
        """Solve; see `Solver.solve`."""
        decomposed = spectrum(moments, rows, centred=True)
        strength = self._chosen(decomposed, moments, rows)
        return decomposed.weights(1.0 / (decomposed.eigenvalues + strength), strength=strength)

    def _chosen(self, decomposed: Spectrum, moments: Moments, rows: RowSample | None) -> float:
        if not isinstance(self.strength, str):
            return self.strength
        w, grid = decomposed.eigenvalues, strength_grid(decomposed)
        if self.strength == "loo" and rows is not None and len(rows):
            left_out = LeaveOneOut(decomposed, rows_in_units(moments, rows))
            errors = np.array([left_out.mean_squared_error(g / (w + g)) for g in grid])
        else:
            errors = gcv_scores(decomposed, grid)
        strength = float(grid[np.argmin(errors)])
        if fewest_rows(moments) < FEW_ROWS and len(w):
            strength = min(strength, float(w[0] / decomposed.count))
        return strength

    def loo_values(self, moments: Moments, rows: RowSample, weights: FastWeights) -> FloatArray:
        """Predict rows without themselves; see `Solver.loo_values`."""
        decomposed = spectrum(moments, rows, centred=True)
        left_out = LeaveOneOut(decomposed, rows_in_units(moments, rows))
        return left_out.predictions(weights.strength / (decomposed.eigenvalues + weights.strength))


def strength_grid(decomposed: Spectrum) -> FloatArray:
    """Strengths worth comparing: 1e-12 to 10 times the largest eigenvalue, shape (n_strengths,)."""
    largest = decomposed.eigenvalues[0] if len(decomposed.eigenvalues) else 1.0
    return largest * np.logspace(-12, 1, N_STRENGTHS)


def gcv_scores(decomposed: Spectrum, strengths: FloatArray) -> FloatArray:
    """Generalised cross-validation score of each strength, from the moments alone."""
    w, a = decomposed.eigenvalues, decomposed.explained_squares
    free = decomposed.count - decomposed.centred - len(w)
    unexplained = max(float(decomposed.value_square_sum.sum() - a.sum()), 0.0) if free > 0 else 0.0
    f = strengths[:, None] / (w + strengths[:, None])
    residual_squares = unexplained + f**2 @ a
    degrees = max(free, 0.0) + f.sum(axis=1)
    return decomposed.count * residual_squares / np.maximum(degrees, 1e-300) ** 2


def fewest_rows(moments: Moments) -> float:
    """Rows of the smallest class where values are 0/1 class columns, else infinity."""
    sums, squares = moments.value_sum, moments.value_square_sum
    filled = sums > 0
    if not np.any(filled) or not np.allclose(sums, squares):
        return float("inf")
    return float(sums[filled].min())
