"""Errors of a regressor on its learned rows, each left out, and intervals for new rows."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Annotated, Any, Self

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.floats import TINY
from faast.core.sample import RowArrays
from faast.core.state import Array, Stored
from faast.solvers import Solution
from faast.solvers.leverage import Leverage

ROUNDING = 1e-12
"""Shares that differ by less count as equal."""

REMAINING = 1e-14
"""A row of which less than this is left determines a direction alone: its error is rounding."""


@dataclass(frozen=True, eq=False)
class LeftOutErrors(Stored):
    """Summary of the leave-one-out errors of the sampled rows, one column per target.

    Attributes
    ----------
    r2 : ndarray of shape (m,)
        Coefficient of determination of the leave-one-out predictions.
    mean_absolute : ndarray of shape (m,)
        Mean absolute error, in units of the target.
    sizes : ndarray of shape (n, m)
        Absolute errors in units of the spread, each column ascending; see `half_widths`.
    beyond : ndarray of shape (n + 1, m)
        Total weight of the rows from each index on; the last is 0.
    leverage : Leverage
    """

    r2: Annotated[FloatArray, Array("m")]
    mean_absolute: Annotated[FloatArray, Array("m", minimum=0.0)]
    sizes: Annotated[FloatArray, Array("n", "m", minimum=0.0)]
    beyond: Annotated[FloatArray, Array("n + 1", "m", minimum=0.0)]
    leverage: Leverage

    @classmethod
    def measure(cls, solution: Solution, rows: RowArrays) -> Self | None:
        """Measure the errors of sampled rows, or return None if none of them can be left out."""
        if len(rows.keys) < 2 or solution.spread is None:
            return None
        remaining = solution.spread.remaining
        can = remaining > REMAINING
        if np.count_nonzero(can) < 2:
            return None
        true, weights, remaining = rows.values[can], rows.weights[can], remaining[can]
        errors = np.abs(true - solution.loo_scores[can])
        total = weights.sum()
        variation = weights @ np.square(true - weights @ true / total)
        unexplained = weights @ np.square(errors)
        r2 = 1.0 - unexplained / np.maximum(variation, TINY)
        r2[variation <= 0.0] = 0.0  # as scikit-learn scores a target that does not vary
        sizes = errors * np.sqrt(remaining)[:, None]
        order = np.argsort(sizes, axis=0, kind="stable")
        beyond = np.zeros((len(errors) + 1, errors.shape[1]))
        beyond[:-1] = np.cumsum(weights[order][::-1], axis=0)[::-1]
        sizes = np.take_along_axis(sizes, order, axis=0)
        return cls(r2, weights @ errors / total, sizes, beyond, solution.spread.leverage)

    def half_widths(self, X: AnyArray, coverage: float) -> FloatArray:
        """Return half the width of intervals that hold the values of rows by `coverage`.

        With noise of variance σ², the value of a new row x deviates from its prediction with
        variance σ² (1 + h(x)), and that of a left-out row with σ² / (1 - h). Errors of left-out
        rows are therefore multiplied by √(1 - h), and the quantile of these sizes is multiplied by
        √(1 + h(x)): intervals widen where rows are far from all learned ones. The quantile is the
        conformal one: a size s is within if a share of at least 1 - coverage of the rows, the new
        one among them, has sizes of s or more.

        Parameters
        ----------
        X : ndarray of shape (n, d)
        coverage : float
            In (0, 1).

        Returns
        -------
        ndarray of shape (n, m)
            Infinite where rows are too few: fewer than coverage / (1 - coverage).
        """
        share = (self.beyond + 1.0) / (self.beyond[0] + 1.0)
        within = np.count_nonzero(share > 1.0 - coverage + ROUNDING, axis=0)
        unbounded = np.vstack([self.sizes, np.full(self.sizes.shape[1], np.inf)])
        quantiles = np.take_along_axis(unbounded, within[None] - 1, axis=0)[0]
        return np.sqrt(1.0 + self.leverage.of(X))[:, None] * quantiles

    def require_widths(self, n_features: int, n_targets: int) -> None:
        """Raise ValueError if the errors are of rows or targets of another width."""
        if self.sizes.shape[1] != n_targets or len(self.leverage.centre) != n_features:
            raise ValueError("errors were measured on rows or targets of another width")

    def validate(self) -> None:
        """Raise ValueError if sizes are not sorted or weights do not fall."""
        n, m = self.sizes.shape
        if not n or self.beyond.shape != (n + 1, m) or np.any(self.beyond[-1]):
            raise ValueError("errors need n > 0 sizes and n + 1 weights per target, the last 0")
        if np.any(np.diff(self.sizes, axis=0) < 0) or np.any(np.diff(self.beyond, axis=0) >= 0):
            raise ValueError("sizes of errors must rise and their weights fall")
        if np.any(self.r2 > 1.0):
            raise ValueError("a coefficient of determination cannot be above 1")


def check_share(share: Any, name: str, *, may_be_all: bool = False) -> float:
    """Check that a share, such as a coverage, is a real number between 0 and 1, and return it.

    Parameters
    ----------
    share : object
        A bool is no share.
    name : str
        Name of the argument, for error messages.
    may_be_all : bool
        Accept 1 too.

    Raises
    ------
    ValueError
        If it is no number, or out of range.
    """
    is_number = isinstance(share, Real) and not isinstance(share, bool)
    if not is_number or not (0.0 < share < 1.0 or (may_be_all and share == 1.0)):
        raise ValueError(f"{name} must be a number between 0 and 1, got {share!r}")
    return float(share)
