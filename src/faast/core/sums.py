"""Sums over blocks of rounded rows: float64 products with a checked bound, kept in int64."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from scipy.linalg.blas import dgemm, dgemv, dsyrk

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import Batch, to_numpy
from faast.core.grid import BLOCK_ROWS, EXACT_LIMIT, GridPair


class GridBlock(NamedTuple):
    """Consecutive rows of a batch in grid units; the next block overwrites the arrays.

    Attributes
    ----------
    keys : ndarray of shape (n, d), float64
    values : ndarray of shape (n, m), float64
    weights : ndarray of shape (n,) or None
    peak : float
        Largest absolute entry of keys and values.
    grids : GridPair
        Grids that the rows were rounded to; both are chosen.
    batch_rows : int
        Number of rows of the batch that the block belongs to.
    """

    keys: FloatArray
    values: FloatArray
    weights: FloatArray | None
    peak: float
    grids: GridPair
    batch_rows: int


def grid_blocks(batches: Iterable[Batch], grids: GridPair) -> Iterator[GridBlock]:
    """Round batches block by block; the first rows choose the grids that are still None.

    Raises
    ------
    ValueError
        If a row holds NaN or inf or lies outside the grid.
    """
    keys, values = np.empty((0, 0)), np.empty((0, 0))
    for batch in batches:
        n_rows = int(batch.keys.shape[0])
        if not n_rows:
            continue
        grids = grids.resolve(batch.keys, batch.values)
        assert grids.key is not None
        assert grids.value is not None
        keys = _room_for(min(BLOCK_ROWS, n_rows), batch.keys.shape[1], keys)
        values = _room_for(min(BLOCK_ROWS, n_rows), batch.values.shape[1], values)
        for start in range(0, n_rows, BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            raw_keys, raw_values = to_numpy(batch.keys[block]), to_numpy(batch.values[block])
            block_keys, block_values = keys[: len(raw_keys)], values[: len(raw_keys)]
            first_row = batch.first_row + start
            peak = max(
                grids.key.round(raw_keys, block_keys, "keys", first_row),
                grids.value.round(raw_values, block_values, "values", first_row),
            )
            weights = None if batch.weights is None else batch.weights[block]
            yield GridBlock(block_keys, block_values, weights, peak, grids, n_rows)


def _room_for(n_rows: int, width: int, buffer: FloatArray) -> FloatArray:
    return buffer if len(buffer) >= n_rows else np.empty((n_rows, width))


Sums = dict[str, AnyArray]
"""Sufficient statistics by name; see `sum_shapes`."""

INT64_LIMIT = 2.0**63


def sum_shapes(n_features: int, n_values: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every sum; only the lower triangle of the Gram matrix is used."""
    return {
        "count": (),
        "gram": (n_features, n_features),
        "cross": (n_features, n_values),
        "key_sum": (n_features,),
        "value_sum": (n_values,),
        "value_square_sum": (n_values,),
    }


def empty_sums(n_features: int, n_values: int, dtype: type) -> Sums:
    """Return zero sums, see `sum_shapes`."""
    shapes = sum_shapes(n_features, n_values)
    return {name: np.zeros(shape, dtype) for name, shape in shapes.items()}


def sum_columns(values: AnyArray, groups: AnyArray) -> AnyArray:
    """Add up columns (..., m) by group: column i goes to the new column ``groups[i]``.

    Every new column must get at least one old column.
    """
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(int(groups.max(initial=-1)) + 1))
    added = np.add.reduceat(values[..., order], starts, axis=-1, dtype=values.dtype)
    return np.ascontiguousarray(added)


def add_sums(left: Sums, right: Sums, sign: int = 1) -> Sums:
    """Return ``left + sign * right``; int64 stays int64, anything else becomes float64.

    Raises
    ------
    OverflowError
        If an integer sum would leave int64.
    """
    exact = left["count"].dtype == right["count"].dtype == np.int64
    if exact and sign > 0:
        check_room(left, right)
    combined = {name: np.asarray(left[name] + sign * right[name]) for name in left}
    return combined if exact else {name: np.asarray(s, np.float64) for name, s in combined.items()}


def diagonals(sums: Sums) -> dict[str, AnyArray]:
    """Return counts and sums of squares, which bound every other sum by Cauchy-Schwarz."""
    return {
        "count": sums["count"],
        "key_square_sum": sums["gram"].diagonal(),
        "value_square_sum": sums["value_square_sum"],
    }


def check_room(left: Sums, right: Sums) -> None:
    """Raise OverflowError if the total of two integer sums would leave int64."""
    for name, other in diagonals(right).items():
        total = diagonals(left)[name].astype(np.float64) + other.astype(np.float64)
        if total.size and total.max() >= INT64_LIMIT:
            raise OverflowError(
                f"{name} would leave the 64-bit integers that keep sums exact; use a coarser grid "
                "(grid=16) or a larger scale, or start a second Moments"
            )


def pack(sums: Sums) -> Sums:
    """Return the sums with the Gram matrix reduced to its lower triangle, a flat array."""
    return {**sums, "gram": sums["gram"][np.tril_indices(len(sums["gram"]))]}


def unpack(packed: Mapping[str, AnyArray], n_features: int, n_values: int) -> Sums:
    """Rebuild the sums that `pack` returned.

    Raises
    ------
    ValueError
        If a sum has a wrong shape or dtype, or a count or a sum of squares is negative.
    """
    shapes = sum_shapes(n_features, n_values)
    shapes["gram"] = (n_features * (n_features + 1) // 2,)
    dtype = packed["count"].dtype
    for name, shape in shapes.items():
        found = packed[name]
        if found.shape != shape or found.dtype != dtype or dtype.name not in ("int64", "float64"):
            raise ValueError(f"{name} must have shape {shape}, got {found.dtype} {found.shape}")
    gram = np.zeros((n_features, n_features), dtype)
    gram[np.tril_indices(n_features)] = packed["gram"]
    sums = {name: packed[name] for name in shapes} | {"gram": gram}
    if any(np.any(part < 0) for part in diagonals(sums).values()):
        raise ValueError("a count or a sum of squares is negative")
    return sums


class BlockSums:
    """Adds up the sums and products of blocks of rounded rows.

    Products are added in place by BLAS (a symmetric rank-k update for the Gram matrix) to float64
    accumulators. In exact mode their diagonals, which bound every other sum, are kept below 2**53:
    before a block could exceed this limit, the accumulators are emptied into int64 sums.

    Parameters
    ----------
    n_features, n_values : int
    exact : bool
        Keep exact integer sums, for rows that are integers. The first weight that is not an
        integer ends this: from then on the sums are float64.
    """

    def __init__(self, n_features: int, n_values: int, exact: bool) -> None:
        self.exact = exact
        self._total: Sums | None = None
        self._running = empty_sums(n_features, n_values, np.float64)

    def add(
        self, keys: FloatArray, values: FloatArray, weights: FloatArray | None, peak: float
    ) -> None:
        """Add a block; to stay exact, empty the accumulators first or halve the block.

        Parameters
        ----------
        keys : ndarray of shape (n, d), float64, C-contiguous
        values : ndarray of shape (n, m), float64, C-contiguous
        weights : ndarray of shape (n,) or None
        peak : float
            Upper bound on the absolute entries of keys and values.

        Raises
        ------
        OverflowError
            If the sums would leave 64-bit integers.
        """
        if self.exact and weights is not None and np.any(weights != np.rint(weights)):
            self.exact = False
            if self._total is not None:
                self._total = {name: s.astype(np.float64) for name, s in self._total.items()}
        if self.exact:
            heaviest = 1.0 if weights is None else max(1.0, float(weights.max(initial=0.0)))
            bound = len(keys) * heaviest * max(peak, 1.0) ** 2
            held = self._held()
            if held + bound > EXACT_LIMIT:  # then a tighter bound is worth a pass over the block
                squares = (np.einsum("ij,ij->j", rows, rows).max() for rows in (keys, values))
                bound = heaviest * max(len(keys), *squares)
            if held and held + bound > EXACT_LIMIT:
                self._empty()
            if bound > EXACT_LIMIT:
                self._add_parts(keys, values, weights, peak)
                return
        self._accumulate(keys, values, weights)

    def finish(self) -> Sums:
        """Return the sums, int64 where exact, else float64."""
        if self._total is None and not self.exact:
            return self._running
        self._empty()
        assert self._total is not None
        return self._total

    def _held(self) -> float:
        return max(float(d.max(initial=0.0)) for d in diagonals(self._running).values())

    def _accumulate(self, keys: FloatArray, values: FloatArray, weights: FloatArray | None) -> None:
        running = self._running
        # BLAS sees the C-ordered sums as their transposes and adds in place
        gram, cross = running["gram"].T, running["cross"].T
        if weights is None:
            weights = np.ones(len(keys))
            weighted_values = values
            dsyrk(1.0, keys.T, beta=1.0, c=gram, overwrite_c=1)
        else:
            weighted_values = values * weights[:, None]
            running["gram"] += np.tril((keys * weights[:, None]).T @ keys)
        running["count"] += weights.sum()
        running["key_sum"] += dgemv(1.0, keys.T, weights)
        if not values.shape[1]:  # BLAS takes no empty matrix
            return
        dgemm(1.0, weighted_values.T, keys.T, beta=1.0, c=cross, trans_b=1, overwrite_c=1)
        running["value_sum"] += dgemv(1.0, values.T, weights)
        running["value_square_sum"] += np.einsum("ij,ij->j", values, weighted_values)

    def _add_parts(
        self, keys: FloatArray, values: FloatArray, weights: FloatArray | None, peak: float
    ) -> None:
        if len(keys) == 1:
            assert weights is not None  # a row of weight 1 always fits
            self._add_heavy_row(keys, values, float(weights[0]), peak)
            return
        half = len(keys) // 2
        for part in (slice(None, half), slice(half, None)):
            part_weights = None if weights is None else weights[part]
            self.add(keys[part], values[part], part_weights, peak)

    def _add_heavy_row(
        self, keys: FloatArray, values: FloatArray, weight: float, peak: float
    ) -> None:
        """Add a row of large weight: sum it once, then multiply the integer sums by the weight."""
        single = BlockSums(keys.shape[1], values.shape[1], exact=True)
        single.add(keys, values, None, peak)
        once = single.finish()
        if weight * max(float(d.max(initial=0)) for d in diagonals(once).values()) >= INT64_LIMIT:
            raise OverflowError(
                f"a row of weight {weight:g} would leave the 64-bit integers that keep sums exact; "
                "use a smaller weight"
            )
        self._empty()
        assert self._total is not None
        self._total = add_sums(self._total, {name: s * int(weight) for name, s in once.items()})

    def _empty(self) -> None:
        dtype = np.int64 if self.exact else np.float64
        if self._total is None:
            self._total = {name: s.astype(dtype) for name, s in self._running.items()}
        else:
            if self.exact:
                check_room(self._total, self._running)
            for name, s in self._running.items():
                np.add(self._total[name], s, out=self._total[name], dtype=dtype, casting="unsafe")
        for s in self._running.values():
            s.fill(0.0)
