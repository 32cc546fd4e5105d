"""Ridge regression with intercept; the strength is given or chosen in closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from faast._utils.arrays import FloatArray
from faast._utils.floats import TINY
from faast.core.moments import Moments
from faast.core.statistics import Statistics
from faast.solvers.base import Solution, Solver
from faast.solvers.leverage import Spread
from faast.solvers.spectrum import LeaveOneOut, Spectrum, decompose

SMALLEST_STRENGTH, LARGEST_STRENGTH = -9, 1
"""Decades, relative to the largest eigenvalue, of the strengths that are compared.

Keys are rounded to 2^-20 of their scale, and float32 features are rounded too. Directions of such
rounding tell equal rows from others, so that leave-one-out would use them where rows repeat, but
say nothing of new rows. Their eigenvalues lie at 1e-12 and below.
"""

STEPS_PER_DECADE = 4
FEW_ROWS = 4.0


@dataclass(frozen=True)
class Ridge(Solver):
    """Ridge regression with intercept: W = (S + strength I)⁻¹ C on centred keys and values.

    Parameters
    ----------
    strength : float, "gcv" or "loo"
        Added to the eigenvalues of the centred Gram matrix S. "gcv" minimises the generalised
        cross-validation score, which needs only the moments. "loo" minimises the squared
        leave-one-out error of the kept rows (all of them while there are few, else a sample), and
        falls back on "gcv" if no rows are kept. With several columns of numbers, each error is
        divided by the variance of its column, so that their units do not matter.

    Raises
    ------
    ValueError
        If the strength is another text, negative, or not finite.

    Notes
    -----
    C is the centred cross product of keys and values. With S = Q diag(w) Qᵀ, Z = Qᵀ C and
    f_i = strength / (w_i + strength):

    - RSS = t_perp + sum_i a_i f_i², a_i = |z_i|² / w_i, t_perp the part that no direction explains;
      N - df = N - 1 - r + sum_i f_i; GCV = N RSS / (N - df)² (Golub, Heath & Wahba 1979).
    - leave-one-out: see `LeaveOneOut`.

    Both criteria choose too large a strength at one or two rows per class: if values are one-hot
    and a class has fewer than four rows, the strength is capped at w_max / N.
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

    def fit(self, statistics: Statistics) -> Solution:
        """Solve; see `Solver.fit`."""
        spectrum = decompose(statistics, centred=True)
        left_out = cache(lambda: LeaveOneOut(spectrum, statistics.sampled_rows()))
        strength = self._choose_strength(spectrum, statistics, left_out)
        w = spectrum.eigenvalues
        gains, removed = 1.0 / (w + strength), strength / (w + strength)

        def measure_spread() -> Spread:
            # without regularisation, directions that no row spans count as the least spanned one
            outside = 1.0 / strength if strength else float(gains.max(initial=0.0))
            return Spread(spectrum.leverage(gains, outside), left_out().remaining(removed))

        return Solution(
            spectrum.weights(gains, strength=strength),
            lambda: left_out().predictions(removed),
            lambda rows: LeaveOneOut(spectrum, rows).predictions(removed),
            measure_spread=measure_spread,
        )

    def _choose_strength(
        self, spectrum: Spectrum, statistics: Statistics, left_out: Callable[[], LeaveOneOut]
    ) -> float:
        if not isinstance(self.strength, str):
            return self.strength
        w, grid = spectrum.eigenvalues, strength_grid(spectrum)
        fewest = fewest_rows(statistics.moments)
        importance = np.ones(len(spectrum.value_square_sum))
        if np.isinf(fewest) and len(importance) > 1:  # numbers of different units count alike
            importance = 1.0 / np.maximum(spectrum.value_square_sum / spectrum.count, TINY)
        if self.strength == "loo" and len(statistics.rows):
            rows = left_out()
            errors = np.array([rows.mean_squared_error(g / (w + g), importance) for g in grid])
        else:
            errors = gcv_scores(spectrum, grid, importance)
        strength = float(grid[np.argmin(errors)])
        if fewest < FEW_ROWS and len(w):
            strength = min(strength, float(w[0] / spectrum.count))
        return strength


def strength_grid(spectrum: Spectrum) -> FloatArray:
    """Return strengths to compare, 1e-9 to 10 times the largest eigenvalue: (n_strengths,)."""
    largest = spectrum.eigenvalues[0] if len(spectrum.eigenvalues) else 1.0
    n_strengths = STEPS_PER_DECADE * (LARGEST_STRENGTH - SMALLEST_STRENGTH) + 1
    return largest * np.logspace(SMALLEST_STRENGTH, LARGEST_STRENGTH, n_strengths)


def gcv_scores(
    spectrum: Spectrum, strengths: FloatArray, importance: FloatArray | float = 1.0
) -> FloatArray:
    """Return the generalised cross-validation score of each strength: (n_strengths,).

    Squared errors of the columns of values are multiplied by their `importance`, (m,), and summed.
    """
    w = spectrum.eigenvalues
    a = (np.square(spectrum.projections) * importance).sum(axis=1) / w
    free = spectrum.count - spectrum.centred - len(w)
    total = float((spectrum.value_square_sum * importance).sum())
    unexplained = max(total - float(a.sum()), 0.0) if free > 0 else 0.0
    f = strengths[:, None] / (w + strengths[:, None])
    residual_squares = unexplained + f**2 @ a
    degrees = max(free, 0.0) + f.sum(axis=1)
    return spectrum.count * residual_squares / np.maximum(degrees, TINY) ** 2


def fewest_rows(moments: Moments) -> float:
    """Return the number of rows of the smallest class if values are one-hot, else infinity."""
    sums, squares = moments.value_sum, moments.value_square_sum
    filled = sums > 0
    one_hot = np.allclose(sums, squares) and np.isclose(sums.sum(), moments.count)
    if not np.any(filled) or not one_hot:
        return float("inf")
    return float(sums[filled].min())
