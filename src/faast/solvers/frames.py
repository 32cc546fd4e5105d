"""Coordinates of rows: columns less a centre, or fewer of them in the space that few rows span."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg.lapack import dpstrf

from faast._utils.arrays import FloatArray
from faast.solvers.triangular import Triangle


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates of rows: columns less a centre, divided by a scale.

    Attributes
    ----------
    centre, scale : ndarray of shape (d,)
    """

    centre: FloatArray
    scale: FloatArray

    def coordinates(self, keys: FloatArray) -> FloatArray:
        """Return the coordinates (n, r) of rows (n, d)."""
        rows = np.subtract(keys, self.centre, dtype=keys.dtype, casting="same_kind")
        return self.divide(rows)

    def divide(self, rows: FloatArray) -> FloatArray:
        """Divide columns of rows (n, d) by the scale, in place; scales of 1 take no time."""
        if self._scales:
            rows /= self.scale
        return rows

    @cached_property
    def _scales(self) -> bool:
        return bool(np.any(self.scale != 1.0))

    def lift(self, coordinates: FloatArray) -> FloatArray:
        """Return the centred and scaled rows (n, d) that have these coordinates (n, r)."""
        return coordinates


@dataclass(frozen=True, eq=False)
class SpanFrame(Frame):
    """Coordinates in the space that n rows span, r <= n, which are cheaper while n < d.

    A pivoted Cholesky factorisation of the products of rows with each other gives coordinates in
    an orthonormal basis, which is never computed: a row x has the coordinates L⁻¹ P x, with r
    independent rows in P and the triangle L of their products. A part of x that lies outside the
    span has none.

    Attributes
    ----------
    keys : ndarray of shape (n, d)
    own : ndarray of shape (n, r)
        Coordinates of `keys`.
    independent : ndarray of shape (r, d)
        P, centred and scaled.
    triangle : Triangle
        L.
    """

    keys: FloatArray
    own: FloatArray
    independent: FloatArray
    triangle: Triangle

    @classmethod
    def spanned_by(cls, keys: FloatArray, centre: FloatArray, scale: FloatArray) -> SpanFrame:
        """Factorise the products of rows."""
        rows = Frame(centre, scale).coordinates(keys)
        factor, pivots, rank, _ = dpstrf(rows @ rows.T, lower=1)
        order, lower = pivots - 1, np.tril(factor)[:, :rank]
        own = np.empty(lower.shape)
        own[order] = lower
        triangle = Triangle(np.ascontiguousarray(lower[:rank]))
        return cls(centre, scale, keys, own, rows[order[:rank]], triangle)

    def coordinates(self, keys: FloatArray) -> FloatArray:
        """Return the coordinates (n, r) of rows (n, d)."""
        if keys is self.keys:
            return self.own
        return self.triangle.divide(super().coordinates(keys) @ self.independent.T)

    def lift(self, coordinates: FloatArray) -> FloatArray:
        """Return the centred and scaled rows (n, d) that have these coordinates (n, r)."""
        return self.triangle.divide_transposed(coordinates) @ self.independent
