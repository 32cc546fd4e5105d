"""Columns of a table: whether they have units, and how far each one varies."""

from __future__ import annotations

import numpy as np
from scipy.special import polygamma

from faast._utils.arrays import FloatArray
from faast._utils.floats import TINY
from faast.core.grid import SHORT_ROW, SMALL_ENTRY
from faast.core.moments import Moments


def is_table(moments: Moments) -> bool:
    """Tell whether rows are a table with units rather than embeddings of norm about 1.

    A table has a mean squared norm above 4, or columns so small that each has its own grid scale.
    """
    scale = moments.key_scale
    small = np.ndim(scale) > 0 and (np.min(scale) <= SMALL_ENTRY or np.max(scale) <= SHORT_ROW)
    return bool(small or moments.key_square_sum.sum() > 4.0 * moments.count)


def standard_deviations(moments: Moments) -> FloatArray:
    """Estimate the standard deviation of each column, (d,); 1 for a column that does not vary.

    A log-variance estimated from n rows has sampling variance trigamma((n - 1) / 2). Log-variances
    are shrunk towards their mean by the ratio of this to their own variance (empirical Bayes, cf.
    Smyth 2004). So few rows suffice to tell columns of very different units apart, and similar
    columns are not scaled differently by chance.
    """
    measured = column_deviations(moments)
    varies = measured > 0.0
    if not varies.any():
        return np.ones(len(measured))
    logs = 2.0 * np.log(measured[varies])
    chance = float(polygamma(1, max(moments.count - 1.0, TINY) / 2.0))
    seen = float(logs.var())
    kept = max(seen - chance, 0.0) / max(seen, TINY)
    scale = np.ones(len(measured))
    scale[varies] = np.exp(0.5 * (logs.mean() + kept * (logs - logs.mean())))
    return scale


def column_deviations(moments: Moments) -> FloatArray:
    """Return the standard deviation of each column, (d,); 0 for a column that does not vary."""
    mean = moments.key_sum / moments.count
    squares = moments.key_square_sum / moments.count
    variance = squares - mean**2
    return np.sqrt(np.where(variance > 1e-12 * np.maximum(squares, TINY), variance, 0.0))
