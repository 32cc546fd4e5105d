"""Validation of input rows: arrays, tensors, memory maps, or iterables of batches of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from datetime import date, time, timedelta
from itertools import zip_longest
from math import isfinite
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray

ONE_THREAD_DOT = 8_192
"""BLAS sums the products of more numbers in threads, for which a process that forks waits."""

DATES = (date, time, timedelta, np.datetime64, np.timedelta64)

VALUES_MISSING = (
    "values are missing; pass keys and values, or an iterable of (keys, values) batches"
)

ENDED = object()
"""Stands for the next batch of what has no more of them."""


class Batch(NamedTuple):
    """Rows that were passed together; validated, not yet converted to NumPy.

    Attributes
    ----------
    keys : array or tensor of shape (n, d)
    values : array or tensor of shape (n, m)
    weights : ndarray of shape (n,), or None
    first_row : int
        Number of rows in earlier batches of the same call; error messages count from it.
    """

    keys: Any
    values: Any
    weights: FloatArray | None
    first_row: int


def is_tensor(rows: object) -> bool:
    """Return whether `rows` is a torch tensor, without importing torch."""
    if isinstance(rows, np.ndarray):
        return False
    return type(rows).__module__.partition(".")[0] == "torch" and hasattr(rows, "detach")


def to_numpy(rows: Any) -> AnyArray:
    """Return rows as a NumPy array; copies only from a device or from bfloat16."""
    if is_tensor(rows):
        rows = rows.detach().cpu()
        return np.asarray(rows.float() if str(rows.dtype) == "torch.bfloat16" else rows)
    array = np.asarray(rows)
    if array.dtype.kind == "V" and array.dtype.name == "bfloat16":  # to ask for a name takes long
        return array.astype(np.float32)
    return array


def as_rows(rows: Any, name: str, width: int | None = None, *, column: bool = False) -> Any:
    """Check that `rows` is a numeric matrix and return it.

    Parameters
    ----------
    rows : array-like of shape (n, width)
        Tensors stay tensors; arrays and memory maps are not copied.
    name : str
        Name of the argument, for error messages.
    width : int, optional
        Expected number of columns; any number if it is not given.
    column : bool
        Accept shape (n,) too, and return it as (n, 1).

    Raises
    ------
    ValueError
        If `rows` is not numeric, not two-dimensional, or has another number of columns.
    """
    if not is_tensor(rows):
        refuse_no_numbers(rows, name)
        rows = np.asarray(rows)
        _require_numbers(rows, name)
    if rows.ndim == 1 and column:
        rows = rows.reshape(-1, 1)
    if rows.ndim != 2 or (width is not None and rows.shape[1] != width):
        expected = f"(n, {'columns' if width is None else width})"
        raise ValueError(f"{name} must have shape {expected}, got {tuple(rows.shape)}")
    return rows


def check_finite(rows: AnyArray, name: str) -> None:
    """Check that every entry is a finite number.

    Parameters
    ----------
    rows : ndarray of shape (n, ...)
    name : str
        Name of the argument, for error messages.

    Raises
    ------
    ValueError
        If an entry is NaN or inf (the message gives the number of the first such row), or entries
        are no real numbers, such as dates.
    """
    if rows.dtype.kind != "f":
        _require_numbers(rows, name)
        return
    is_small = rows.size <= ONE_THREAD_DOT and rows.dtype.char in "fd" and rows.flags.c_contiguous
    if is_small and isfinite(np.vdot(rows, rows)):
        return  # squares that overflow are looked at again
    with np.errstate(invalid="ignore", over="ignore"):
        if np.isfinite(rows.sum(dtype=np.float64)):
            return
    wrong = np.flatnonzero(~np.isfinite(rows.reshape(len(rows), -1)).all(axis=1))
    if wrong.size:
        kind = "NaN" if np.isnan(rows[wrong[0]]).any() else "inf"
        raise ValueError(f"row {wrong[0]} of {name} contains {kind}")


def refuse_no_numbers(rows: Any, name: str) -> None:
    """Check that rows hold no masked entries and no dates, which NumPy would take for numbers.

    Parameters
    ----------
    rows : array-like or data frame
    name : str
        Name of the argument, for error messages.

    Raises
    ------
    ValueError
        If an entry is masked, `pandas.NA`, or a date, a time or a duration.
    """
    if isinstance(rows, np.ma.MaskedArray) and np.ma.getmaskarray(rows).any():
        row = int(np.argwhere(np.ma.getmaskarray(rows))[0][0])
        raise ValueError(f"row {row} of {name} is masked; leave masked rows out")
    for part in _without_number_columns(rows):
        values = np.asarray(part)
        if values.dtype.kind not in "mMO":
            continue
        for place, value in np.ndenumerate(values):
            if isinstance(value, DATES) or type(value).__name__ == "NAType":
                raise ValueError(
                    f"row {place[0] if place else 0} of {name} holds {value!s} of type "
                    f"{type(value).__name__}, which is no number; convert dates and durations, "
                    "for example to days, and leave rows with missing values out"
                )


def _without_number_columns(rows: Any) -> list[Any]:
    """Return the columns of a data frame whose type is no number; anything else as it is."""
    if not all(hasattr(rows, name) for name in ("__array__", "columns", "dtypes")):
        return [rows]
    types = zip(rows.columns, rows.dtypes, strict=True)
    return [rows[name] for name, dtype in types if getattr(dtype, "kind", "O") not in "fiub"]


def _require_numbers(rows: AnyArray, name: str) -> None:
    """Raise ValueError if an array has no real dtype."""
    if rows.dtype.kind in "fiub" or rows.dtype.name == "bfloat16":
        return
    how = f"for example with np.asarray({name}, dtype=np.float32)"
    if rows.dtype.kind in "mM":
        how = "dates and durations for example to days"
    raise ValueError(
        f"{name} must be a numeric array, got dtype {rows.dtype}; convert it first, {how}"
    )


def as_weights(weights: Any, n_rows: int) -> FloatArray | None:
    """Check sample weights and return them as float64.

    Parameters
    ----------
    weights : None, float, or array-like of shape (n_rows,)
        Finite and not negative. One number is the weight of every row.
    n_rows : int

    Returns
    -------
    ndarray of shape (n_rows,), float64, or None if `weights` is None

    Raises
    ------
    ValueError
        If the length differs from `n_rows`, or a weight is masked, a date or duration, negative,
        NaN or inf; the message gives the number of the first such row.
    """
    if weights is None:
        return None
    if not is_tensor(weights):
        refuse_no_numbers(weights, "weights")
    checked = np.asarray(to_numpy(weights), dtype=np.float64)
    if checked.ndim == 0:
        checked = np.full(n_rows, float(checked))
    if checked.shape != (n_rows,):
        raise ValueError(f"weights must have shape ({n_rows},), got {checked.shape}")
    wrong = np.flatnonzero(~(np.isfinite(checked) & (checked >= 0)))
    if wrong.size:
        raise ValueError(
            f"row {wrong[0]} has weight {checked[wrong[0]]}; weights must be finite and not "
            "negative (to remove a learned row, use forget)"
        )
    return checked


def warn_light_rows(weights: Any, n_classes: int = 1) -> None:
    """Warn if rows weigh so little together that they hardly count beside the prior.

    A weight of w counts as w copies of a row. Weights that were divided by their sum say that all
    rows together are one.

    Parameters
    ----------
    weights : None, float, or array-like of shape (n,)
        As `as_weights` has accepted them; one number for all rows is not looked at.
    n_classes : int
        Number of classes that the rows tell apart.
    """
    checked = np.asarray(1.0 if weights is None else to_numpy(weights), dtype=np.float64)
    if not checked.ndim or 2 * checked.sum() > min(checked.size, max(n_classes, 2)):
        return
    warnings.warn(
        f"the weights of the rows sum to {checked.sum():.3g}, and a weight of w counts as w copies "
        "of a row: these rows decide little; divide the weights by their mean",
        stacklevel=4,
    )


def iterate_batches(
    keys: Any,
    values: Any,
    weights: Any,
    n_features: int | None = None,
    n_values: int | None = None,
) -> Iterator[Batch]:
    """Yield validated batches, from arrays or from an iterable of batches.

    Parameters
    ----------
    keys : array-like of shape (n, n_features), or iterable of batches
        Any iterable that is not an array, a tensor or a list of rows counts as an iterable of
        batches: of (keys, values) or (keys, values, weights) tuples if `values` is None, otherwise
        of keys alone.
    values : array-like of shape (n, n_values) or (n,), iterable of such batches, or None
    weights : None, float, array-like of shape (n,), or iterable of such batches
        One number is the weight of every row. Beside (keys, values) tuples there are none.
    n_features, n_values : int, optional
        Expected numbers of columns; those of the first batch if they are not given.

    Yields
    ------
    Batch

    Raises
    ------
    ValueError
        If a batch is not numeric, has the wrong shape, or its keys, values and weights differ in
        number; if keys, values and weights differ in the number of batches; or if `values` is None
        and `keys` are no tuples.
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
            raise ValueError(VALUES_MISSING)
        if weights is not None:
            raise ValueError(
                "batches of (keys, values) take no weights beside them; pass batches of (keys, "
                "values, weights)"
            )
        for batch in keys:
            yield _pair(batch)
    elif _is_one_batch(keys):
        yield keys, values, weights
    else:
        alike = not isinstance(weights, Iterable) or getattr(weights, "shape", None) == ()
        given = {"keys": keys, "values": values} | ({} if alike else {"weights": weights})
        for name, batches in given.items():
            if not isinstance(batches, Iterable):
                raise ValueError(f"keys are batches, so {name} must be too, got {batches!r}")
        for place, batch in enumerate(zip_longest(*given.values(), fillvalue=ENDED)):
            ended = [name for name, part in zip(given, batch, strict=True) if part is ENDED]
            if ended:
                raise ValueError(
                    f"{', '.join(given)} must have the same number of batches, but there are "
                    f"{place} of {' and '.join(ended)} and more of the others"
                )
            yield (*batch, weights)[:3]


def _pair(batch: Any) -> tuple[Any, Any, Any]:
    """Return the keys, values and weights of a batch; raise ValueError if it is keys alone."""
    is_keys = hasattr(batch, "shape") and len(batch.shape) < 3
    parts = () if is_keys or not isinstance(batch, Iterable) else (*batch,)
    if len(parts) < 2 or isinstance(parts[0], Real):
        raise ValueError(VALUES_MISSING)
    return (*parts, None)[:3]


def _is_one_batch(keys: Any) -> bool:
    if isinstance(keys, list | tuple):
        return not keys or np.ndim(keys[0]) < 2
    return hasattr(keys, "shape") or not isinstance(keys, Iterable)
