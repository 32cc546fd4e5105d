"""Sums over rows by name: shapes, addition, and the bounds that keep them within 64 bits."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from faast._utils.arrays import AnyArray
from faast.core.gram import Gram

Sums = dict[str, AnyArray]
"""Sufficient statistics by name; see `sum_shapes`."""

INT64_LIMIT = 2.0**63


def sum_shapes(n_features: int, n_values: int) -> dict[str, tuple[int, ...]]:
    """Return the shape of every sum; `Gram` holds the products of keys with each other."""
    return {
        "count": (),
        "cross": (n_features, n_values),
        "key_sum": (n_features,),
        "key_square_sum": (n_features,),
        "value_sum": (n_values,),
        "value_square_sum": (n_values,),
    }


def empty_sums(n_features: int, n_values: int, dtype: type) -> Sums:
    """Return zero sums, see `sum_shapes`."""
    shapes = sum_shapes(n_features, n_values)
    return {name: np.zeros(shape, dtype) for name, shape in shapes.items()}


def select_columns(values: AnyArray, columns: AnyArray) -> AnyArray:
    """Rearrange columns (the last axis), row by row in memory; -1 stands for a column of zeros."""
    zeros = np.zeros_like(values, shape=(*values.shape[:-1], 1))
    return np.ascontiguousarray(np.concatenate([values, zeros], axis=-1)[..., columns])


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
    return {name: sums[name] for name in ("count", "key_square_sum", "value_square_sum")}


def check_room(left: Sums, right: Sums) -> None:
    """Raise OverflowError if the total of two integer sums would leave int64."""
    for name, other in diagonals(right).items():
        total = diagonals(left)[name].astype(np.float64) + other.astype(np.float64)
        if total.size and total.max() >= INT64_LIMIT:
            raise OverflowError(
                f"{name} would leave the 64-bit integers that keep sums exact; use a coarser grid "
                "(grid=16) or a larger scale, or start a second Moments"
            )


def packed_shapes(n_features: int, n_values: int) -> dict[str, tuple[int, ...]]:
    """Return the shapes of what `pack` returns."""
    shapes = sum_shapes(n_features, n_values)
    del shapes["key_square_sum"]  # the diagonal of the Gram matrix
    return shapes | {"gram": (n_features * (n_features + 1) // 2,)}


def packed_bytes(n_features: int, n_values: int) -> int:
    """Return the bytes of what `pack` returns."""
    return 8 * sum(prod(shape) for shape in packed_shapes(n_features, n_values).values())


def pack(sums: Sums, products: Gram) -> Sums:
    """Return the sums for a file, with the lower triangle of the Gram matrix as a flat array."""
    shapes = packed_shapes(*sums["cross"].shape)
    lower = products.lower[np.tril_indices(products.n_features)]
    return {name: lower if name == "gram" else sums[name] for name in shapes}


def unpack(packed: Mapping[str, AnyArray], n_features: int, n_values: int) -> tuple[Sums, Gram]:
    """Rebuild what `pack` was given.

    Raises
    ------
    ValueError
        If a sum has a wrong shape or dtype, or a count or a sum of squares is negative.
    """
    dtype = packed["count"].dtype
    for name, shape in packed_shapes(n_features, n_values).items():
        found = packed[name]
        if found.shape != shape or found.dtype != dtype or dtype.name not in ("int64", "float64"):
            raise ValueError(f"{name} must have shape {shape}, got {found.dtype} {found.shape}")
    lower = np.zeros((n_features, n_features), dtype)
    lower[np.tril_indices(n_features)] = packed["gram"]
    taken = dict(packed) | {"key_square_sum": lower.diagonal().copy()}
    sums = {name: taken[name] for name in sum_shapes(n_features, n_values)}
    if any(np.any(part < 0) for part in diagonals(sums).values()):
        raise ValueError("a count or a sum of squares is negative")
    return sums, Gram(n_features, dtype == np.int64, lower)
