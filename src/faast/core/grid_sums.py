"""Read sums that are kept in grid units as arrays in the units of the rows."""

from __future__ import annotations

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.gram import Gram
from faast.core.grid import Grid, GridPair
from faast.core.sums import Sums


class GridSums:
    """Base class that reads count, sums and products of keys and values in the rows' units.

    Attributes
    ----------
    n_features, n_values : int
        Columns of the keys, d, and of the values, m.
    sums : dict of str to ndarray
        In grid units, see `faast.core.sums.sum_shapes`; never changed in place.
    products : Gram
        Products of keys with each other, in grid units.
    grids : GridPair
        Grids that keys and values are rounded to.
    """

    n_features: int
    n_values: int
    sums: Sums
    products: Gram
    grids: GridPair

    @property
    def exact(self) -> bool:
        """Whether the sums are integers, so that order never matters and removal is exact."""
        return self.sums["count"].dtype == np.int64

    @property
    def grid(self) -> int | None:
        """Bits of the grid; None where rows are not rounded."""
        return self.grids.bits

    @property
    def key_scale(self) -> float | FloatArray:
        """Scale of the keys' grid; 1 until it is chosen."""
        return self.key_grid.scale

    @property
    def value_scale(self) -> float | FloatArray:
        """Scale of the values' grid; 1 until it is chosen."""
        return (self.grids.value or Grid(self.grid)).scale

    @property
    def key_grid(self) -> Grid:
        """Grid that keys are rounded to; of scale 1 until it is chosen."""
        return self.grids.key or Grid(self.grid)

    @property
    def count(self) -> float:
        """Number of rows, or the sum of their weights."""
        return float(self.sums["count"])

    @property
    def gram(self) -> FloatArray:
        """Sum of key keyᵀ: ndarray of shape (d, d)."""
        steps = 1.0 / self._key_units  # powers of two: exact, and faster than quotients
        gram = self.products.lower * steps
        gram *= steps[:, None]
        gram += np.tril(gram, -1).T
        return gram

    @property
    def cross(self) -> FloatArray:
        """Sum of key valueᵀ: ndarray of shape (d, m)."""
        cross: FloatArray = self.sums["cross"] / self._value_units
        cross /= self._key_units[:, None]
        return cross

    @property
    def key_sum(self) -> FloatArray:
        """Sum of keys: ndarray of shape (d,)."""
        return self.sums["key_sum"] / self._key_units

    @property
    def value_sum(self) -> FloatArray:
        """Sum of values: ndarray of shape (m,)."""
        return self.sums["value_sum"] / self._value_units

    @property
    def key_square_sum(self) -> FloatArray:
        """Sum of squared keys, the diagonal of the Gram matrix: ndarray of shape (d,)."""
        return self.sums["key_square_sum"] / self._key_units**2

    @property
    def value_square_sum(self) -> FloatArray:
        """Sum of squared values: ndarray of shape (m,)."""
        return self.sums["value_square_sum"] / self._value_units**2

    @property
    def nbytes(self) -> int:
        """Bytes held; with more rows than columns they do not grow with the number of rows."""
        return self.products.nbytes + sum(s.nbytes for s in self.sums.values())

    @property
    def _key_units(self) -> FloatArray:
        return self.grids.key_units(self.n_features)

    @property
    def _value_units(self) -> FloatArray:
        return self.grids.value_units(self.n_values)

    def from_grid(self, keys: AnyArray, values: AnyArray) -> tuple[FloatArray, FloatArray]:
        """Convert keys (n, d) and values (n, m) from grid units to the caller's units."""
        return keys * (1.0 / self._key_units), values * (1.0 / self._value_units)
