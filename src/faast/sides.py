"""What a discriminant reads: rows as they are, or their lift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import polygamma

from faast._typing import FloatArray, IntArray
from faast.learned import Learned
from faast.lift import lift_on, shifts_for
from faast.moments import Moments
from faast.rows import RowArrays
from faast.solvers.gaussian import TINY, ClassesLeftOut, GaussianClasses


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
        learned: Learned,
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


def lifted_side(learned: Learned, kept: RowArrays, balanced: bool) -> Side:
    """Lift what was learned, as far as there are rows enough."""
    moments = learned.moments
    n_shifts = shifts_for(moments.count, moments.n_features)
    lifted = learned.with_lifted().leading(n_shifts)
    lift = lift_on(moments.key_grid, moments.n_features, n_shifts)
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
