"""Rows as callers hand them over: arrays, tensors, memory maps or iterables of batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray


class Batch(NamedTuple):
    """Rows that arrived together, sliceable but not yet converted."""

    keys: Any
    values: Any
    weights: FloatArray | None
    first_row: int


def is_tensor(rows: object) -> bool:
    """Tell whether `rows` is a torch tensor, without importing torch."""
    return type(rows).__module__.partition(".")[0] == "torch" and hasattr(rows, "detach")


def to_numpy(rows: Any) -> AnyArray:
    """View rows as a numpy array, copying only from a device or from bfloat16."""
    if is_tensor(rows):
        rows = rows.detach().cpu()
        return np.asarray(rows.float() if str(rows.dtype) == "torch.bfloat16" else rows)
    array = np.asarray(rows)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def as_rows(rows: Any, name: str, width: int | None = None, *, column: bool = False) -> Any:
    """Check that `rows` is one numeric matrix; tensors stay tensors, memory maps stay mapped.

    Parameters
    ----------
    rows : array-like of shape (n, width)
    name : str
        What error messages call it.
    width : int, optional
        Expected number of columns.
    column : bool
        Read shape (n,) as (n, 1).

    Raises
    ------
    ValueError
        Not numeric, not two-dimensional, or of another width.
    """
    if not is_tensor(rows):
        rows = np.asarray(rows)
        if rows.dtype.kind not in "fiub" and rows.dtype.name != "bfloat16":
            raise ValueError(
                f"{name} must be a numeric array, got dtype {rows.dtype}; convert it first, "
                f"for example with np.asarray({name}, dtype=np.float32)"
            )
    if rows.ndim == 1 and column:
        rows = rows.reshape(-1, 1)
    if rows.ndim != 2 or (width is not None and rows.shape[1] != width):
        expected = f"(n, {'columns' if width is None else width})"
        raise ValueError(f"{name} must have shape {expected}, got {tuple(rows.shape)}")
    return rows


def check_finite(rows: AnyArray, name: str) -> None:
    """Name the first row that holds NaN or inf.

    Raises
    ------
    ValueError
        There is one.
    """
    if rows.dtype.kind != "f":
        return
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(rows.sum(dtype=np.float64)):
            return
    wrong = np.flatnonzero(~np.isfinite(rows.reshape(len(rows), -1)).all(axis=1))
    if wrong.size:
        kind = "NaN" if np.isnan(rows[wrong[0]]).any() else "inf"
        raise ValueError(f"row {wrong[0]} of {name} contains {kind}")


def as_weights(weights: Any, n_rows: int) -> FloatArray | None:
    """Check one finite, non-negative weight a row.

    Raises
    ------
    ValueError
        Wrong length, a negative or a non-finite weight (named by its row).
    """
    if weights is None:
        return None
    checked = np.asarray(to_numpy(weights), dtype=np.float64)
    if checked.ndim == 0:
        checked = np.full(n_rows, float(checked))
    if checked.shape != (n_rows,):
        raise ValueError(f"weights must have shape ({n_rows},), got {checked.shape}")
    wrong = np.flatnonzero(~(np.isfinite(checked) & (checked >= 0)))
    if wrong.size:
        raise ValueError(
            f"row {wrong[0]} has weight {checked[wrong[0]]}; weights must be finite and "
            "non-negative (to take a row back, subtract or forget it)"
        )
    return checked


def iterate_batches(
    keys: Any,
    values: Any,
    weights: Any,
    n_features: int | None = None,
    n_values: int | None = None,
) -> Iterator[Batch]:
    """Yield checked batches from one batch or from an iterable of batches.

    One batch is an array or tensor of keys with one of values. An iterable of batches is any other
    iterable: of (keys, values) or (keys, values, weights) tuples when `values` is None, else of
    keys, walked beside an iterable of values. Widths that are not given are the first batch's.

    Raises
    ------
    ValueError
        A batch of another shape or type; its rows are counted from the first batch on.
    """
    first_row = 0
    for batch_keys, batch_values, batch_weights in _parts(keys, values, weights):
        checked_keys = as_rows(batch_keys, "keys", n_features)
        checked_values = as_rows(batch_values, "values", n_values, column=True)
        n_features, n_values = checked_keys.shape[1], checked_values.shape[1]
        n_rows = checked_keys.shape[0]
        if checked_values.shape[0] != n_rows:
            raise ValueError(
                f"keys and values must have the same number of rows, got {n_rows} and "
                f"{checked_values.shape[0]}"
            )
        yield Batch(checked_keys, checked_values, as_weights(batch_weights, n_rows), first_row)
        first_row += n_rows


def _parts(keys: Any, values: Any, weights: Any) -> Iterator[tuple[Any, Any, Any]]:
    if values is None:
        if hasattr(keys, "shape") or not isinstance(keys, Iterable):
            raise ValueError("values are missing: pass add(keys, values) or an iterable of pairs")
        for batch in keys:
            yield (*batch, None)[:3]
    elif _is_one_batch(keys):
        yield keys, values, weights
    else:
        many = iter(weights) if weights is not None else None
        for batch_keys, batch_values in zip(keys, values, strict=True):
            yield batch_keys, batch_values, next(many) if many is not None else None


def _is_one_batch(keys: Any) -> bool:
    if isinstance(keys, list | tuple):
        return not keys or np.ndim(keys[0]) < 2
    return hasattr(keys, "shape") or not isinstance(keys, Iterable)
