"""A fixed lift of rows to products of random sign projections: more capacity, nothing lost.

    z = round(xᵀS)                     S: d x p fixed signs
    phi_jk = z_j · z_(j+k mod p)       k = 1..m

E[phi(x)·phi(y)] = m p (x·y)² up to terms of repeated coordinates: a random sketch of the kernel of
degree 2. Polynomials of degree 2 are closed under translation, so beside the row itself it does
not matter where the data sit. No centre is needed, hence none that moves with the data, and
learning, forgetting and merging stay exact.

It is exact because z is a sum of integers below 2**53 whatever the order of summation, rounding a
power-of-two multiple of it is exact, and so are the products of two such numbers: the lifted rows
lie on a grid of their own, alike in any batch.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from faast._utils.arrays import FloatArray, IntArray
from faast._utils.hashing import hash64
from faast.core.grid import Grid

PROJECTION_BITS = 8
"""z is kept to 2**-8: a few thousandths of what a unit row projects to."""

MOST_PROJECTIONS = 512
PER_FEATURE = 2
MOST_SHIFTS = 6
WIDEST = 3584
"""Lifted columns at most, the row's own among them: the state grows with their square."""

MOST_FEATURES = 1024
"""Wider rows are not lifted: they leave little to gain, and their lifted sums are the largest."""

ROWS_PER_COLUMN = 6
"""Fewer rows than this a lifted column cost more time than they are seen to gain accuracy."""

CHEAP_COLUMNS = 512
"""So many are solved in a blink, however few the rows."""


def most_shifts(n_features: int) -> int:
    """Return how many shifts the lift of such rows has, 0 where they are not lifted."""
    if n_features > MOST_FEATURES:
        return 0
    n_projections = projections(n_features)
    return min(MOST_SHIFTS, (WIDEST - n_features) // n_projections, n_projections // 2)


def shifts_for(n_rows: float, n_features: int) -> int:
    """Return how many shifts so many rows are worth: the lift's first columns, at least a shift."""
    columns = max(n_rows / ROWS_PER_COLUMN, CHEAP_COLUMNS)
    worth = (columns - n_features) / projections(n_features)
    return min(max(1, int(worth)), most_shifts(n_features))


def projections(n_features: int) -> int:
    """Return p."""
    return min(MOST_PROJECTIONS, PER_FEATURE * n_features)


class RandomFeatures:
    """Rows beside their products.

    Parameters
    ----------
    n_features : int
        d.
    bits : int
        Bits of the rows' grid.
    bounded : bool
        Rows have norm up to 2; else entries up to about 1 (a scale a column), and the projection
        is halved until a row of such entries projects like one of norm 2.
    n_shifts : int
        m. The columns of fewer shifts come first among those of more.

    Attributes
    ----------
    width : int
        Columns of a lifted row.
    key_scale : ndarray of shape (width,)
        Grid scale of lifted rows in `Moments` of the same bits.
    signs : ndarray of shape (d, p)
        S.
    per_row_unit : float
        Units of z in one of rowᵀS.
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
        """Units of the lifted grid in 1.0, shape (width,)."""
        return 2.0**self._bits / self.key_scale

    def __call__(self, rows: FloatArray) -> FloatArray:
        """Lift rows.

        Parameters
        ----------
        rows : ndarray of shape (n, d), float64
            In grid units (integers).

        Returns
        -------
        ndarray of shape (n, width), float64
            In units of the lifted grid: integers again.
        """
        z = rows @ self.signs
        z *= self.per_row_unit
        np.rint(z, out=z)
        lifted = np.empty((len(rows), self.width))
        own, *products = np.split(lifted, range(rows.shape[1], self.width, z.shape[1]), axis=1)
        own[:] = rows
        for shift, product in enumerate(products, start=1):
            np.multiply(z, np.roll(z, -shift, axis=1), out=product)
        return lifted


def random_features_on(grid: Grid, n_features: int, n_shifts: int | None = None) -> RandomFeatures:
    """Return the lift of rows on a grid, by default with all its shifts."""
    assert grid.bits is not None
    shifts = most_shifts(n_features) if n_shifts is None else n_shifts
    return _lift(n_features, grid.bits, np.ndim(grid.scale) == 0, shifts)


@lru_cache(maxsize=8)
def _lift(n_features: int, bits: int, bounded: bool, n_shifts: int) -> RandomFeatures:
    return RandomFeatures(n_features, bits, bounded, n_shifts)


def signs(n_rows: int, n_columns: int) -> FloatArray:
    """Return a fixed matrix of +1 and -1, the same on every machine: shape (n_rows, n_columns)."""
    numbers: IntArray = hash64(np.arange(n_rows * n_columns, dtype=np.uint64))
    return np.where(numbers >> np.uint64(63), 1.0, -1.0).reshape(n_rows, n_columns)
