"""When the weight of a row counts as zero."""

from __future__ import annotations

import numpy as np

from faast._utils.arrays import FloatArray

ROUNDING = 1e-9
"""Smaller weights count as zero: they are rounding errors left by rows that were forgotten."""


def refuse_lost_weights(weights: FloatArray | None, first_row: int = 0) -> None:
    """Raise ValueError if a row has a positive weight that would count as zero.

    Parameters
    ----------
    weights : ndarray of shape (n,), or None
    first_row : int
        Number of the first row, for the error message.
    """
    if weights is None:
        return
    lost = np.flatnonzero((weights > 0) & (weights <= ROUNDING))
    if lost.size:
        raise ValueError(
            f"row {first_row + lost[0]} has weight {weights[lost[0]]}; weights up to {ROUNDING} "
            "count as rounding errors of 0: multiply all weights by the same larger number"
        )
