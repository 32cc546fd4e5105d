"""Random features: append products of fixed random sign projections to rows, for more capacity.

    z = round(xᵀS)                     S: d x p fixed signs
    phi_jk = z_j · z_(j+k mod p)       k = 1..m shifts

E[phi(x)·phi(y)] = m p (x·y)² up to terms of repeated coordinates: a random sketch of the kernel of
degree 2. Polynomials of degree 2 are closed under translation, so no centre has to be subtracted.
A centre would move with the data, and rows could no longer be forgotten exactly.

Mapped rows are exact integers: z is a sum of integers below 2**53 whatever the order of summation,
rounding a power-of-two multiple of it is exact, and so are the products of two such numbers. They
lie on a grid of their own, and do not depend on how rows are batched.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from faast._utils.arrays import FloatArray, IntArray
from faast._utils.hashing import hash64
from faast.core.grid import Grid

PROJECTION_BITS = 8
"""z is rounded to multiples of 2**-8; for a unit row z is of order 1."""

LARGEST_PROJECTION = 2.0**13
"""z is clipped here (32, in units of 2**-8), so that every product fits on the grid."""

MOST_PROJECTIONS = 512
PROJECTIONS_PER_FEATURE = 2
MOST_SHIFTS = 6
WIDEST = 3584
"""Most columns of a mapped row, original ones included; the state grows with their square."""

MOST_FEATURES = 1024
"""Rows with more columns are not mapped: their sums would be large and the gain small."""

ROWS_PER_COLUMN = 6
"""With fewer rows per mapped column, mapping costs more time than it gains accuracy."""

CHEAP_COLUMNS = 512
"""Solving for this many columns takes milliseconds, so they are used even for few rows."""


def most_shifts(n_features: int) -> int:
    """Return the largest number of shifts for rows of this width; 0 where they are not mapped."""
    if n_features > MOST_FEATURES:
        return 0
    n_projections = projections(n_features)
    return min(MOST_SHIFTS, (WIDEST - n_features) // n_projections, n_projections // 2)


def shifts_for(n_rows: float, n_features: int) -> int:
    """Return the number of shifts worth using for `n_rows` rows; at least 1 if rows are mapped."""
    columns = max(n_rows / ROWS_PER_COLUMN, CHEAP_COLUMNS)
    affordable = (columns - n_features) / projections(n_features)
    return min(max(1, int(affordable)), most_shifts(n_features))


def projections(n_features: int) -> int:
    """Return p, the number of projections of rows of this width."""
    return min(MOST_PROJECTIONS, PROJECTIONS_PER_FEATURE * n_features)


class RandomFeatures:
    """Map rows to their random features: the row itself, followed by the products phi.

    Parameters
    ----------
    n_features : int
        d.
    bits : int
        Bits of the rows' grid.
    bounded : bool
        Whether rows have norm up to 2 (one scale for all columns). Otherwise entries are up to
        about 1 (one scale per column), and z is divided by a power of two that brings it to the
        size that it has for rows of norm 2.
    n_shifts : int
        m. The features of fewer shifts are the first columns of those of more.

    Attributes
    ----------
    width : int
        Columns of a mapped row.
    key_scale : ndarray of shape (width,)
        Grid scale of mapped rows in `Moments` of the same bits.
    signs : ndarray of shape (d, p)
        S.
    per_row_unit : float
        Factor from rowᵀS, with the row in grid units, to z in units of 2**-8.
    """

    def __init__(self, n_features: int, bits: int, bounded: bool, n_shifts: int) -> None:
        n_projections = projections(n_features)
        self.n_shifts = n_shifts
        self.width = n_features + n_shifts * n_projections
        shrink = 0 if bounded else int(np.ceil(np.log2(max(n_features, 4)) / 2)) - 1
        self.per_row_unit = 2.0 ** (PROJECTION_BITS - bits - shrink)
        self._bits = bits
        self.signs = signs(n_features, n_projections)
        product_scale = 2.0 ** (bits - 2 * PROJECTION_BITS)
        self.key_scale: FloatArray = np.where(
            np.arange(self.width) < n_features, 1.0, product_scale
        )

    @property
    def per_unit(self) -> FloatArray:
        """Units of the mapped grid per 1.0, shape (width,)."""
        return 2.0**self._bits / self.key_scale

    def __call__(self, rows: FloatArray) -> FloatArray:
        """Map rows.

        Parameters
        ----------
        rows : ndarray of shape (n, d), float64
            In grid units (integers).

        Returns
        -------
        ndarray of shape (n, width), float64
            In units of the mapped grid, integers again.
        """
        z = rows @ self.signs
        z *= self.per_row_unit
        np.rint(z, out=z)
        if max(z.max(initial=0.0), -z.min(initial=0.0)) > LARGEST_PROJECTION:
            np.clip(z, -LARGEST_PROJECTION, LARGEST_PROJECTION, out=z)
        mapped = np.empty((len(rows), self.width))
        own, *products = np.split(mapped, range(rows.shape[1], self.width, z.shape[1]), axis=1)
        own[:] = rows
        for shift, product in enumerate(products, start=1):
            np.multiply(z, np.roll(z, -shift, axis=1), out=product)
        return mapped


def random_features_on(grid: Grid, n_features: int, n_shifts: int | None = None) -> RandomFeatures:
    """Return the (cached) map of rows on a grid, by default with the most shifts."""
    assert grid.bits is not None
    shifts = most_shifts(n_features) if n_shifts is None else n_shifts
    return _cached(n_features, grid.bits, np.ndim(grid.scale) == 0, shifts)


@lru_cache(maxsize=8)
def _cached(n_features: int, bits: int, bounded: bool, n_shifts: int) -> RandomFeatures:
    return RandomFeatures(n_features, bits, bounded, n_shifts)


def signs(n_rows: int, n_columns: int) -> FloatArray:
    """Return a fixed matrix of +1 and -1, the same on every machine: shape (n_rows, n_columns)."""
    numbers: IntArray = hash64(np.arange(n_rows * n_columns, dtype=np.uint64))
    return np.where(numbers >> np.uint64(63), 1.0, -1.0).reshape(n_rows, n_columns)
