"""Leverage: how much the prediction for a row depends on the noise of the learned values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.state import Array, Range, Stored

BEYOND_ROUNDING = 1e-5
"""Share of a row's squared length from which on a part outside the basis is more than rounding."""


@dataclass(frozen=True, eq=False)
class Leverage(Stored):
    """Computes the leverage of rows, h(x) = 1/N + (x - c)ᵀ (S + λI)⁻¹ (x - c), for a linear fit.

    With noise of variance σ² in the learned values, a new value deviates from its prediction with
    variance σ² (1 + h). The basis is kept in float32, which is precise enough for a variance.

    Attributes
    ----------
    centre : ndarray of shape (d,)
        c, the mean of the learned keys; zeros without intercept.
    basis : ndarray of shape (d, r), float32
        Directions of the learned keys, orthonormal.
    gains : ndarray of shape (r,)
        1 / (w + λ) for each direction.
    outside : float
        The same for all directions that no learned row spans.
    base : float
        1/N, the share of the intercept; 0 without one.
    """

    centre: Annotated[FloatArray, Array("d")]
    basis: Annotated[AnyArray, Array("d", "r", dtypes=("float32",))]
    gains: Annotated[FloatArray, Array("r", minimum=0.0)]
    outside: Annotated[float, Range(0.0)]
    base: Annotated[float, Range(0.0)]

    def of(self, X: AnyArray) -> FloatArray:
        """Return the leverage h of rows (n, d): shape (n,)."""
        Z = np.asarray(X, dtype=np.float64) - self.centre
        squares = np.square(Z.astype(np.float32) @ self.basis, dtype=np.float64)
        length = np.einsum("ij,ij->i", Z, Z)
        beyond = length - squares.sum(axis=1)
        beyond[beyond < BEYOND_ROUNDING * length] = 0.0
        return self.base + squares @ self.gains + self.outside * beyond


class Spread(NamedTuple):
    """How far values may lie from predictions, in units of the noise.

    Attributes
    ----------
    leverage : Leverage
        Of new rows.
    remaining : ndarray of shape (n,)
        1 - h of the sampled rows in the fit that learned them. The variance of a left-out row is
        σ² / (1 - h), which is σ² (1 + h) with the leverage h in the fit without the row.
    """

    leverage: Leverage
    remaining: FloatArray
