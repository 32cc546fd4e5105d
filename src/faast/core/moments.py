"""Moments: the sufficient statistics of keys and values, all that a linear solver needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.threads import threads_for
from faast._utils.validation import Batch, iterate_batches
from faast.core.block_sums import BlockSums
from faast.core.blocks import GridBlock, grid_blocks
from faast.core.gram import Gram
from faast.core.grid import GridPair
from faast.core.grid_sums import GridSums
from faast.core.state import State
from faast.core.sums import (
    Sums,
    add_sums,
    diagonals,
    pack,
    select_columns,
    sum_columns,
    sum_shapes,
    unpack,
)

Visitor = Callable[["Moments", GridBlock], None]
"""Called as ``visit(part, block)`` for each block; `part` has no rows and the block's grids."""


class Moments(GridSums):
    """Count, sums, Gram matrix and cross products of keys and values.

    Rows are rounded to a fixed-point grid and summed as integers, so that addition is associative:
    any order, any batching, any tree of merges gives the same bits, and subtracting rows leaves
    the state as if they had never been seen. Weights that are not integers and `decay` end this:
    from then on sums are float64 with rounding errors, and `exact` is False.

    Parameters
    ----------
    n_features : int
        Columns of the keys, d.
    n_values : int
        Columns of the values, m; 0 if nothing is to be predicted yet.
    key_scale, value_scale : float or ndarray, optional
        Powers of two, one for all columns or one per column; the grid's step is
        ``scale * 2**-grid``. By default 1 for unit rows and most rows of norm up to 2, otherwise
        chosen from the first rows and kept (see `faast.core.grid.grid_for`). Set it explicitly if
        moments of rows of larger norm are to be merged, or must not depend on the order of rows.
    grid : int or None
        Bits after the binary point. With None rows are not rounded and sums are plain float64.

    Raises
    ------
    ValueError
        If a width is not a positive integer, `grid` is not None or 1 to 24, or a scale is not a
        positive power of two.

    Attributes
    ----------
    sums : dict of str to ndarray
        In grid units, see `faast.core.sums.sum_shapes`; never changed in place.
    products : Gram
        Products of keys with each other, in grid units.
    grids : GridPair
        Grids that keys and values are rounded to.

    Notes
    -----
    Entries up to about 90 times the scale are accepted, as long as 64-bit integers hold the sums
    (with 20 bits: sums of squares up to 8.4 million times the squared scale).
    """

    def __init__(
        self,
        n_features: int,
        n_values: int,
        key_scale: float | AnyArray | None = None,
        value_scale: float | AnyArray | None = None,
        grid: int | None = 20,
    ) -> None:
        self.n_features = _at_least(1, n_features, "n_features")
        self.n_values = _at_least(0, n_values, "n_values")
        self.grids = GridPair.from_scales(grid, key_scale, value_scale)
        self.grids.require_widths(self.n_features, self.n_values)
        # views of a single zero: arrays are never changed in place, so none is allocated yet
        dtype = np.int64 if grid is not None else np.float64
        shapes = sum_shapes(n_features, n_values)
        self.sums: Sums = {n: np.broadcast_to(dtype(0), shape) for n, shape in shapes.items()}
        self.products = Gram(self.n_features, grid is not None)

    def add(self, keys: Any, values: Any = None, weights: Any = None) -> Self:
        """Add rows.

        Parameters
        ----------
        keys : array-like of shape (n, d), or an iterable of batches
            A numpy array (memory-mapped ones are read block by block), a torch tensor, or an
            iterable of such batches, or of (keys, values) or (keys, values, weights) tuples.
        values : array-like of shape (n, m), or an iterable beside an iterable of keys
        weights : array-like of shape (n,), optional
            Non-negative. Integers count as repetitions and stay exact.

        Raises
        ------
        ValueError
            If a shape or type is wrong, or a row holds NaN or inf or lies outside the grid.
        OverflowError
            If the sums would leave 64-bit integers.

        Notes
        -----
        An error leaves the moments as they were before the call.
        """
        return self.merge(self.sum_batches(self._batches(keys, values, weights)))

    def subtract(self, keys: Any, values: Any = None, weights: Any = None) -> Self:
        """Remove rows that were added; parameters as for `add`.

        Raises
        ------
        ValueError
            As for `add`, or if a count or a sum of squares would become negative, which shows that
            not all of these rows were added.

        Notes
        -----
        Rows that were never added cannot be detected if the sums stay plausible without them;
        subtracting them silently corrupts the moments.
        """
        return self.unmerge(self.sum_batches(self._batches(keys, values, weights)))

    def merge(self, other: Moments) -> Self:
        """Add all rows that another Moments has summed.

        Raises
        ------
        ValueError
            If widths, grids or scales differ.
        OverflowError
            If the sums would leave 64-bit integers.
        """
        both = self + other
        return self.replace_sums(both.sums, both.products, both.grids)

    def unmerge(self, other: Moments) -> Self:
        """Remove all rows that another Moments has summed; errors as for `subtract`."""
        grids = self._united_grids(other)
        left = add_sums(self.sums, other.sums, sign=-1)
        if self.exact and any(np.any(part < 0) for part in diagonals(left).values()):
            raise ValueError(
                "these rows were never all learned: removing them would make a count or a sum of "
                "squares negative; remove only rows that were learned, with the same weights"
            )
        # without any rows left, the next rows choose the scales again
        grids = grids if left["count"] else grids.reopen()
        return self.replace_sums(left, self.products - other.products, grids)

    def __add__(self, other: Moments) -> Moments:
        grids = self._united_grids(other)
        sums, products = add_sums(self.sums, other.sums), self.products + other.products
        return self._empty_like().replace_sums(sums, products, grids)

    def decay(self, factor: float) -> Self:
        """Multiply all sums by a factor; from then on they are float64 and no longer exact.

        Parameters
        ----------
        factor : float
            In (0, 1].

        Raises
        ------
        ValueError
            If the factor is out of range.
        """
        if not 0.0 < factor <= 1.0:
            raise ValueError(f"factor must be in (0, 1], got {factor}")
        sums = {name: s * float(factor) for name, s in self.sums.items()}
        return self.replace_sums(sums, self.products.scale(factor))

    def select_outputs(self, columns: AnyArray) -> Self:
        """Rearrange the columns of values.

        Parameters
        ----------
        columns : ndarray of shape (new_n_values,), integer
            For each new column the index of the old column to copy, or -1 for zeros.
        """
        for name in ("cross", "value_sum", "value_square_sum"):
            # copied row by row: the bits of products depend on the order in memory
            self.sums[name] = select_columns(self.sums[name], columns)
        self.grids = self.grids.select_outputs(columns)
        self.n_values = len(columns)
        return self

    def sum_outputs(self, groups: AnyArray) -> Self:
        """Add up columns of values of which at most one is not 0 in each row, as one-hot ones.

        Parameters
        ----------
        groups : ndarray of shape (n_values,), integer
            The new column of each old one; every new column gets at least one.
        """
        if np.ndim(self.value_scale):
            raise ValueError("columns of values can be added up only if all have one scale")
        for name in ("cross", "value_sum", "value_square_sum"):
            self.sums[name] = sum_columns(self.sums[name], groups)
        self.n_values = int(groups.max()) + 1
        return self

    def copy(self) -> Moments:
        """Return an independent copy."""
        # sums are never changed in place
        return self._empty_like().replace_sums(dict(self.sums), self.products)

    def sum_batches(self, batches: Iterable[Batch], visit: Visitor | None = None) -> Moments:
        """Sum batches into a new Moments on this one's grid, leaving this one as it is.

        Parameters
        ----------
        batches : iterable of Batch
            See `faast._utils.validation.iterate_batches`.
        visit : callable, optional
            Called with every block; see `Visitor`. For callers that also keep rows.
        """
        part = self._empty_like()
        exact = self.grid is not None
        sums = BlockSums(self.n_features, self.n_values, exact, waits=exact)
        products = self.n_features * (self.n_features + self.n_values)
        for block in grid_blocks(batches, self.grids):
            part.grids = block.grids
            with threads_for(block.batch_rows * products):
                sums.add(block.keys, block.values, block.weights, block.peak)
            if visit is not None:
                visit(part, block)
        return part.replace_sums(*sums.finish())

    def replace_sums(self, sums: Sums, products: Gram, grids: GridPair | None = None) -> Self:
        """Replace all sums by others, in units of these grids, or of `grids` if given."""
        self.sums, self.products = sums, products
        self.grids = self.grids if grids is None else grids
        return self

    @classmethod
    def from_sums(cls, sums: Sums, gram: FloatArray) -> Moments:
        """Wrap float64 sums in the units of the rows.

        Parameters
        ----------
        sums : dict
            See `sum_shapes` for names and shapes.
        gram : ndarray of shape (d, d)
            Lower triangle of the Gram matrix.
        """
        n_features, n_values = sums["cross"].shape
        floats = {name: np.asarray(s, dtype=np.float64) for name, s in sums.items()}
        products = Gram(n_features, False, gram)
        return cls(n_features, n_values, grid=None).replace_sums(floats, products)

    def outline(self) -> State:
        """Return widths and grids without sums, for files that hold all rows instead."""
        shape = {"n_features": self.n_features, "n_values": self.n_values}
        return State.join({"grids": self.grids.to_state()}, **shape)

    def to_state(self) -> State:
        """Return the content to write, with only the lower triangle of the Gram matrix."""
        outline = self.outline()
        return State({**pack(self.sums, self.products), **outline.tensors}, outline.metadata)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild moments; an outline gives moments without rows.

        Raises
        ------
        ValueError
            If a sum has a wrong shape or dtype, or a count or a sum of squares is negative.
        """
        d = _at_least(1, state.metadata["n_features"], "n_features")
        m = _at_least(0, state.metadata["n_values"], "n_values")
        grids = GridPair.from_state(state.part("grids"))
        moments = cls(d, m, grid=grids.bits)
        grids.require_widths(d, m)
        moments.grids = grids
        if moments.sums.keys().isdisjoint(state.tensors):
            return moments
        return moments.replace_sums(*unpack(state.tensors, d, m))

    def __eq__(self, other: object) -> bool:
        """Compare grids and sums bit for bit."""
        if not isinstance(other, Moments):
            return NotImplemented
        mine, theirs = (
            (*moments.sums.values(), moments.products.lower) for moments in (self, other)
        )
        return self.grids.same_as(other.grids) and all(
            left.dtype == right.dtype and np.array_equal(left, right)
            for left, right in zip(mine, theirs, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"Moments(count={self.count:g}, n_features={self.n_features}, "
            f"n_values={self.n_values}, grid={self.grid}, exact={self.exact})"
        )

    def _empty_like(self) -> Moments:
        twin = Moments(self.n_features, self.n_values, grid=self.grid)
        twin.grids = self.grids
        return twin

    def _batches(self, keys: Any, values: Any, weights: Any) -> Iterator[Batch]:
        return iterate_batches(keys, values, weights, self.n_features, self.n_values)

    def _united_grids(self, other: Moments) -> GridPair:
        """Return the grids of both; raise ValueError if the moments cannot be combined."""
        for name in ("n_features", "n_values", "grid"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise ValueError(f"cannot combine moments with {name}={mine} and {name}={theirs}")
        return self.grids.unite(other.grids)


def _at_least(least: int, number: Any, name: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {number!r}")
    return int(number)
