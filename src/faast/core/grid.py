"""The fixed-point grid: rows rounded to integers whose sums of products are exact.

Rows are rounded to multiples of ``scale * 2**-bits``. In units of that step every entry is an
integer, every product of two entries is an integer, and a float64 sum of such products is exact
as long as it stays below 2**53, whatever the order of summation. By Cauchy-Schwarz every partial
sum of every entry of a Gram matrix is bounded by its largest diagonal entry, so one bound
certifies the whole matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import to_numpy
from faast.core.state import Array, Stored

EXACT_LIMIT = 2.0**53
"""Float64 sums of integers are exact up to here."""

LARGEST_QUERY = 2.0**26
"""Queries are clipped to this many grid units; learned rows may be up to sqrt(2) times larger."""

MAX_BITS = 24

BLOCK_ROWS = 1024
"""Rows rounded and multiplied at a time, so that blocks stay in cache and memory stays flat."""

PIECE_ENTRIES = 2**17
"""Entries rounded at a time, so that intermediate results stay near the processor."""

FLOAT32_UNITS = 2.0**-64, 2.0**64
"""Grid units per 1.0 for which float32 rows are rounded in float32."""

UNIT_ERROR = 1e-3
"""Rows count as unit rows if their squared norm is this close to 1."""

LARGEST, SMALLEST = 1e100, 1e-100
"""Larger entries are refused, smaller ones round to 0: float64 cannot hold their products."""

SHORT_ROW = 2.0**-6
SMALL_ENTRY = 2.0**-14
ENOUGH_ROWS = 8
"""Thresholds that tell when scale 1 would round away too much; see `grid_for`."""


@dataclass(frozen=True, eq=False)
class Grid(Stored):
    """Rounds rows of one kind (keys or values) to integers.

    Parameters
    ----------
    bits : int or None
        The step is ``scale * 2**-bits``; None leaves rows as they are.
    scale : float or ndarray of shape (columns,)
        Powers of two: one for all columns, or one per column.

    Raises
    ------
    ValueError
        If `bits` is out of range or a scale is not a positive power of two.
    """

    bits: int | None
    scale: float | Annotated[FloatArray, Array("columns")] = 1.0

    def __post_init__(self) -> None:
        if self.bits is not None and (type(self.bits) is not int or not 1 <= self.bits <= MAX_BITS):
            raise ValueError(
                f"grid must be None or an integer from 1 to {MAX_BITS}, got {self.bits!r}"
            )
        mantissa, _ = np.frexp(self.scale)
        if not np.all(mantissa == 0.5):
            raise ValueError(f"scale must be a positive power of two, got {self.scale}")

    @property
    def per_unit(self) -> float | FloatArray:
        """Grid units per 1.0: float, or ndarray of shape (columns,)."""
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
            If a row holds NaN or inf, or an entry whose square float64 cannot hold exactly.
        """
        precision, width = self._precision(rows.dtype), out.shape[1]
        n_rows = max(1, PIECE_ENTRIES // max(1, width))
        room = np.empty((min(n_rows, len(rows)), width), precision)
        peaks = [0.0]
        for start in range(0, len(rows), n_rows):
            piece = out[start : start + n_rows]
            units = piece if precision is np.float64 else room[: len(piece)]
            with np.errstate(over="ignore"):  # inf, which is refused below
                np.multiply(rows[start : start + n_rows], self.per_unit, units, dtype=precision)
            if self.bits is not None:
                np.rint(units, out=units)
            if units is not piece:
                piece[...] = units
            peaks += [units.max(initial=0.0), -units.min(initial=0.0)]
        peak = float(np.max(peaks))  # which, unlike `max`, is NaN where one of them is
        limit = np.sqrt(EXACT_LIMIT) if self.bits is not None else np.finfo(np.float64).max
        if not peak <= limit:
            worst = int(np.argmax(~(np.abs(out).max(axis=1) <= limit)))
            raise ValueError(f"row {first_row + worst} of {name} {_reason(rows[worst])}")
        return peak

    def _precision(self, dtype: np.dtype[Any]) -> type:
        """Return float32 where it holds rows of this type in grid units exactly, else float64.

        Units are powers of two, so only rows or units out of its range need float64.
        """
        smallest, largest = np.min(self.per_unit), np.max(self.per_unit)
        in_range = FLOAT32_UNITS[0] <= smallest and largest <= FLOAT32_UNITS[1]
        return np.float32 if in_range and dtype in (np.float16, np.float32) else np.float64

    def rounded(self, rows: AnyArray) -> FloatArray:
        """Return rows in grid units, as `round` writes them."""
        out = np.empty(rows.shape)
        self.round(rows, out)
        return out

    def nearest(self, rows: AnyArray) -> FloatArray:
        """Return queries rounded to grid units, clipped to at most `LARGEST_QUERY` in size."""
        units = np.multiply(rows, self.per_unit, dtype=np.float64)
        return np.rint(np.clip(units, -LARGEST_QUERY, LARGEST_QUERY))

    def same_as(self, other: Grid) -> bool:
        """Tell whether two grids round alike."""
        return self.bits == other.bits and np.array_equal(self.scale, other.scale)


def grid_for(rows: Any, bits: int | None) -> Grid:
    """Choose the grid from the first rows.

    Unit rows, one-hot rows and most rows of norm up to 2 get scale 1, so that neither order nor
    batching of such rows matters. Each column gets a scale of its own, the smallest power of two
    that is at least the column's largest entry, if scale 1 does not suit the rows:

    - a row has norm above 2;
    - every row is shorter than `SHORT_ROW`;
    - among `ENOUGH_ROWS` rows or more, not all of unit norm, the largest entry of a column is
      below `SMALL_ENTRY`.

    Parameters
    ----------
    rows : array or tensor of shape (n, columns)
    bits : int or None
        See `Grid`.

    Returns
    -------
    Grid
    """
    squares = np.concatenate([np.einsum("ij,ij->i", b, b) for b in _blocks(rows)])
    longest = squares.max()
    unit_rows = longest <= 4.0 and np.abs(squares - 1.0).max() < UNIT_ERROR
    if bits is None or unit_rows:
        return Grid(bits)
    peaks = np.max([np.abs(block).max(axis=0) for block in _blocks(rows)], axis=0)
    # of rows that are too large, `round` names the first
    if not SMALLEST < float(peaks.max(initial=0.0)) < LARGEST:
        return Grid(bits)
    small = len(squares) >= ENOUGH_ROWS and np.any((peaks > 0) & (peaks < SMALL_ENTRY))
    if SHORT_ROW**2 <= longest <= 4.0 and not small:
        return Grid(bits)
    peaks = peaks.astype(np.float64)
    filled = np.where(peaks > SMALLEST, peaks, peaks.max())
    return Grid(bits, np.exp2(np.ceil(np.log2(filled))))


@dataclass(frozen=True, eq=False)
class GridPair(Stored):
    """The grid of keys and the grid of values; each is None until the first rows choose it.

    Attributes
    ----------
    bits : int or None
    key, value : Grid or None
    user_key, user_value : bool
        Whether the caller gave the scale; `reopen` keeps such a scale.
    """

    bits: int | None
    key: Grid | None
    value: Grid | None
    user_key: bool
    user_value: bool

    @classmethod
    def from_scales(
        cls,
        bits: Any,
        key_scale: float | AnyArray | None,
        value_scale: float | AnyArray | None,
    ) -> GridPair:
        """Build the pair from the caller's scales; the first rows choose a scale that is None."""
        bits = int(bits) if isinstance(bits, np.integer) else bits
        Grid(bits)
        key, value = (
            Grid(bits) if bits is None else None if scale is None else _grid(bits, scale)
            for scale in (key_scale, value_scale)
        )
        return cls(bits, key, value, key is not None, value is not None)

    def resolve(self, keys: Any, values: Any) -> GridPair:
        """Return the pair with grids that are still None chosen from these rows."""
        if self.key is not None and self.value is not None:
            return self
        return replace(
            self,
            key=self.key or grid_for(keys, self.bits),
            value=self.value or grid_for(values, self.bits),
        )

    def unite(self, other: GridPair) -> GridPair:
        """Return the pair with grids that are still None taken from `other`.

        Raises
        ------
        ValueError
            If both have chosen a grid and the two differ.
        """
        for name in ("key", "value"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine and theirs and not mine.same_as(theirs):
                raise ValueError(
                    f"cannot combine moments with different {name} scales "
                    f"({_first_difference(mine.scale, theirs.scale)}); give both the same "
                    f"{name}_scale before they learn, such as the larger per column"
                )
        return replace(self, key=self.key or other.key, value=self.value or other.value)

    def reopen(self) -> GridPair:
        """Return the pair as it was before any row: with the caller's scales only."""
        return replace(
            self,
            key=self.key if self.user_key else None,
            value=self.value if self.user_value else None,
        )

    def select_outputs(self, columns: AnyArray) -> GridPair:
        """Rearrange the columns of values; new columns (-1) take the largest scale."""
        if self.value is None or isinstance(self.value.scale, float):
            return self
        rearranged = np.where(columns < 0, self.value.scale.max(), self.value.scale[columns])
        return replace(self, value=Grid(self.bits, rearranged))

    def key_units(self, n_features: int) -> FloatArray:
        """Return the grid units per 1.0 of each key column, shape (n_features,)."""
        return np.broadcast_to((self.key or Grid(self.bits)).per_unit, n_features)

    def value_units(self, n_values: int) -> FloatArray:
        """Return the grid units per 1.0 of each value column, shape (n_values,)."""
        return np.broadcast_to((self.value or Grid(self.bits)).per_unit, n_values)

    def same_as(self, other: GridPair) -> bool:
        """Tell whether both round rows alike; a grid that is None counts as scale 1."""
        plain = Grid(self.bits)
        return (self.key or plain).same_as(other.key or Grid(other.bits)) and (
            self.value or plain
        ).same_as(other.value or Grid(other.bits))

    def require_widths(self, n_features: int, n_values: int) -> None:
        """Raise ValueError if keys or values of these widths have another number of scales."""
        for name, grid, width in (("key", self.key, n_features), ("value", self.value, n_values)):
            if grid is not None and np.shape(grid.scale) not in ((), (width,)):
                raise ValueError(
                    f"{name}_scale must be one number or one per column, of {width} columns; got "
                    f"the shape {np.shape(grid.scale)}"
                )

    def validate(self) -> None:
        """Raise ValueError if a grid has other bits than the pair."""
        if any(grid is not None and grid.bits != self.bits for grid in (self.key, self.value)):
            raise ValueError("the grids of keys and values must have the same bits")


def _grid(bits: int | None, scale: float | AnyArray) -> Grid:
    return Grid(bits, np.asarray(scale, dtype=np.float64) if np.ndim(scale) else float(scale))


def _blocks(rows: Any) -> Iterator[AnyArray]:
    for start in range(0, rows.shape[0], BLOCK_ROWS):
        block = to_numpy(rows[start : start + BLOCK_ROWS])
        yield (
            block if block.dtype.itemsize >= 4 and block.dtype.kind == "f" else block.astype(float)
        )


def _reason(row: AnyArray) -> str:
    entries = np.asarray(row, dtype=np.float64)
    if np.isnan(entries).any():
        return "contains NaN"
    if np.isinf(entries).any():
        return "contains inf"
    if np.abs(entries).max() >= LARGEST:
        return f"holds {np.abs(entries).max():.4g}; entries must be below {LARGEST:g}, rescale them"
    return (
        f"holds {np.abs(entries).max():.4g}, too large for the grid that the first rows or the "
        "caller fixed; start again with a larger scale (key_scale, value_scale)"
    )


def _first_difference(mine: float | AnyArray, theirs: float | AnyArray) -> str:
    """Name two scales that differ, and the first column where they do if they have columns."""
    if not np.ndim(mine) and not np.ndim(theirs):
        return f"{mine} and {theirs}"
    column = int(np.argmax(np.not_equal(mine, theirs)))
    first, second = (
        float(each[column]) if np.ndim(each) else float(each)
        for each in map(np.asarray, (mine, theirs))
    )
    return f"{first} and {second} in column {column}"
