"""Reductions of the rows of an array."""

from __future__ import annotations

import numpy as np

from faast._utils.arrays import AnyArray

SHORT = 32
"""Columns up to which a transposed copy is compared faster than the entries of each row."""


def row_maxima(rows: AnyArray) -> AnyArray:
    """Return the largest entry of each row (n, C), C >= 1: shape (n,)."""
    if rows.shape[1] > SHORT:
        return rows.max(axis=1)
    return np.ascontiguousarray(rows.T).max(axis=0)
