"""The fixed-point grid: rounded rows whose sums of products are exact integers.

Rows are rounded to multiples of ``scale * 2**-bits``. In units of that step every entry is an
integer, every product of two entries is an integer, and a float64 sum of such products is exact
as long as it stays below 2**53, whatever the order of summation. By Cauchy-Schwarz every partial
sum of every entry of a Gram matrix is bounded by its largest diagonal entry, so one bound
certifies the whole matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from faast._typing import AnyArray, FloatArray
from faast.inputs import to_numpy

EXACT_LIMIT = 2.0**53
"""Float64 sums of integers are exact up to here."""

LARGEST_QUERY = 2.0**26
"""In grid units; `Grid.round` takes rows a little larger."""

MAX_BITS = 24

BLOCK_ROWS = 1024
"""Rows rounded and multiplied at a time: blocks stay in cache, and memory flat."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Rounding of one kind of row (keys or values) to integers.

    Parameters
    ----------
    bits : int or None
        The step is ``scale * 2**-bits``; None leaves rows as they are.
    scale : float or ndarray of shape (columns,)
        Powers of two, one for all columns or one a column.

    Raises
    ------
    ValueError
        Bits out of range, or a scale that is not a positive power of two.
    """

    bits: int | None
    scale: float | FloatArray = 1.0

    def __post_init__(self) -> None:
        if self.bits is not None and not 1 <= self.bits <= MAX_BITS:
            raise ValueError(f"grid must be None or 1 to {MAX_BITS} bits, got {self.bits}")
        mantissa, _ = np.frexp(self.scale)
        if not np.all(mantissa == 0.5):
            raise ValueError(f"scale must be a positive power of two, got {self.scale}")

    @property
    def per_unit(self) -> float | FloatArray:
        """Integer units in 1.0: float, or ndarray of shape (columns,)."""
        return 1.0 if self.bits is None else 2.0**self.bits / self.scale

    def round(
        self, rows: AnyArray, out: FloatArray, name: str = "rows", first_row: int = 0
    ) -> float:
        """Write the rows in grid units into `out`.

        Parameters
        ----------
        rows : ndarray of shape (n, columns), any real dtype
        out : ndarray of shape (n, columns), float64
        name : str
            What error messages call the rows.
        first_row : int
            Number of the first row in error messages.

        Returns
        -------
        peak : float
            Largest absolute entry of `out`.

        Raises
        ------
        ValueError
            A row holds NaN or inf, or an entry whose square float64 cannot hold exactly.
        """
        np.multiply(rows, self.per_unit, out=out, dtype=np.float64)
        if self.bits is not None:
            np.rint(out, out=out)
        peak = max(float(out.max()), -float(out.min())) if out.size else 0.0
        limit = np.sqrt(EXACT_LIMIT) if self.bits is not None else np.finfo(np.float64).max
        if not peak <= limit:
            worst = int(np.argmax(~(np.abs(out).max(axis=1) <= limit)))
            raise ValueError(f"row {first_row + worst} of {name} {_fault(rows[worst])}")
        return peak

    def rounded(self, rows: AnyArray) -> FloatArray:
        """Return rows in grid units, as `round` writes them."""
        out = np.empty(rows.shape)
        self.round(rows, out)
        return out

    def nearest(self, rows: AnyArray) -> FloatArray:
        """Return queries in grid units; entries that no learned row could have are cut off."""
        units = np.multiply(rows, self.per_unit, dtype=np.float64)
        return np.rint(np.clip(units, -LARGEST_QUERY, LARGEST_QUERY))

    def same_as(self, other: Grid) -> bool:
        """Tell whether two grids round alike."""
        return self.bits == other.bits and np.array_equal(self.scale, other.scale)


def grid_for(rows: Any, bits: int | None) -> Grid:
    """Choose the grid of rows that are the first to arrive.

    Rows of norm up to 2 (unit rows, one-hot rows) always get scale 1, so that no order or batching
    of such rows can matter. Larger rows get a power of two a column that is at least the column's
    largest entry: columns of very different size keep the same relative precision.

    Parameters
    ----------
    rows : array or tensor of shape (n, columns)
    bits : int or None
    """
    if max(np.einsum("ij,ij->i", b, b).max() for b in _blocks(rows)) <= 4.0:
        return Grid(bits)
    column_peaks = np.max([np.abs(block).max(axis=0) for block in _blocks(rows)], axis=0)
    if not np.all(np.isfinite(column_peaks)):
        return Grid(bits)  # rounding names the row that is wrong
    filled = np.where(column_peaks > 0, column_peaks, column_peaks.max())
    return Grid(bits, np.exp2(np.ceil(np.log2(filled))).astype(np.float64))


def _blocks(rows: Any) -> Iterator[AnyArray]:
    for start in range(0, rows.shape[0], BLOCK_ROWS):
        block = to_numpy(rows[start : start + BLOCK_ROWS])
        yield (
            block if block.dtype.itemsize >= 4 and block.dtype.kind == "f" else block.astype(float)
        )


def _fault(row: AnyArray) -> str:
    entries = np.asarray(row, dtype=np.float64)
    if np.isnan(entries).any():
        return "contains NaN"
    if np.isinf(entries).any():
        return "contains inf"
    return (
        f"holds {np.abs(entries).max():.4g}, too large for the grid that the first rows or the "
        "caller fixed; start again with a larger scale (key_scale, value_scale)"
    )
