"""The fixed-point grid: rounded rows whose sums of products are exact integers.

Rows are rounded to multiples of ``scale * 2**-bits``. In units of that step every entry is an
integer, every product of two entries is an integer, and a float64 sum of such products is exact
as long as it stays below 2**53, whatever the order of summation. By Cauchy-Schwarz every partial
sum of every entry of a Gram matrix is bounded by its largest diagonal entry, so one bound
certifies the whole matrix product.

How keys and values are rounded: said by the caller, or decided by the first rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import to_numpy
from faast.core.persistence import State

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


@dataclass(frozen=True, eq=False)
class Grids:
    """The grid of keys and the grid of values, None while undecided.

    Attributes
    ----------
    bits : int or None
    key, value : Grid or None
    given : tuple of two Grid or None
        What the caller said, to go back to when nothing is learned.
    """

    bits: int | None
    key: Grid | None
    value: Grid | None
    given: tuple[Grid | None, Grid | None]

    @classmethod
    def of(
        cls,
        bits: int | None,
        key_scale: float | AnyArray | None,
        value_scale: float | AnyArray | None,
    ) -> Grids:
        """Take the caller's word for scales; without bits there is nothing to decide."""
        key, value = (
            Grid(bits) if bits is None else None if scale is None else _grid(bits, scale)
            for scale in (key_scale, value_scale)
        )
        Grid(bits)
        return cls(bits, key, value, (key, value))

    def settled(self, keys: Any, values: Any) -> Grids:
        """Decide by these rows what is undecided."""
        return replace(
            self,
            key=self.key or grid_for(keys, self.bits),
            value=self.value or grid_for(values, self.bits),
        )

    def joined(self, other: Grids) -> Grids:
        """Decide by the other what is undecided.

        Raises
        ------
        ValueError
            Both are decided, and differ.
        """
        for name in ("key", "value"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine and theirs and not mine.same_as(theirs):
                raise ValueError(
                    f"cannot combine moments with different {name} scales ({mine.scale} and "
                    f"{theirs.scale}); give both the same {name}_scale before they learn"
                )
        return replace(self, key=self.key or other.key, value=self.value or other.value)

    def undecided(self) -> Grids:
        """Go back to what the caller said."""
        return replace(self, key=self.given[0], value=self.given[1])

    def select_outputs(self, columns: AnyArray) -> Grids:
        """Rearrange columns of values; fresh ones (-1) take the largest scale."""
        if self.value is None or not np.ndim(self.value.scale):
            return self
        scale = np.asarray(self.value.scale)
        rearranged = np.where(columns < 0, scale.max(), scale[columns])
        return replace(self, value=Grid(self.bits, rearranged))

    def leading(self, n_features: int) -> Grids:
        """Keep the first columns of keys."""
        if self.key is None or not np.ndim(self.key.scale):
            return self
        return replace(self, key=Grid(self.bits, np.asarray(self.key.scale)[:n_features]))

    def key_units(self, n_features: int) -> FloatArray:
        """Grid units in 1.0 of each key column."""
        return np.broadcast_to((self.key or Grid(self.bits)).per_unit, n_features)

    def value_units(self, n_values: int) -> FloatArray:
        """Grid units in 1.0 of each value column."""
        return np.broadcast_to((self.value or Grid(self.bits)).per_unit, n_values)

    def same_as(self, other: Grids) -> bool:
        """Tell whether rows are rounded alike; undecided is as scale 1."""
        plain = Grid(self.bits)
        return (self.key or plain).same_as(other.key or Grid(other.bits)) and (
            self.value or plain
        ).same_as(other.value or Grid(other.bits))

    def to_state(self) -> State:
        """Return what a file keeps."""
        tensors = {
            f"{name}_scale": np.asarray(grid.scale, dtype=np.float64)
            for name, grid in (("key", self.key), ("value", self.value))
            if grid is not None
        }
        return State(tensors, {"bits": self.bits, "given": [bool(grid) for grid in self.given]})

    @classmethod
    def from_state(cls, state: State) -> Grids:
        """Restore what `to_state` returned."""
        bits = state.metadata["bits"]
        scales = (state.tensors.get(name) for name in ("key_scale", "value_scale"))
        key, value = (None if scale is None else _grid(bits, scale) for scale in scales)
        given = state.metadata["given"]
        return cls(bits, key, value, (key if given[0] else None, value if given[1] else None))


def _grid(bits: int | None, scale: float | AnyArray) -> Grid:
    return Grid(bits, np.asarray(scale, dtype=np.float64) if np.ndim(scale) else float(scale))
