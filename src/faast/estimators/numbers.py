"""Targets of regressors: finite numbers, one or several per row, perhaps with names."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import check_finite, is_tensor, refuse_no_numbers, to_numpy

ROUNDED_SHARE = 1e-3
"""Rounding errors above this share of a target's standard deviation are warned about."""


def as_numbers(y: Any) -> AnyArray:
    """Validate the targets of a regressor.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, m), finite numbers

    Returns
    -------
    ndarray of shape (n,) or (n, m), of a real dtype

    Raises
    ------
    ValueError
        If the shape is another, or a target is masked, missing or no finite number (the message
        names its row).
    """
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    if not is_tensor(y):
        refuse_no_numbers(y, "y")
    targets = to_numpy(y)
    if targets.ndim not in (1, 2) or (targets.ndim == 2 and not targets.shape[1]):
        raise ValueError(
            f"y must hold one number per row, or a row of numbers, got shape {targets.shape}"
        )
    if targets.dtype.kind not in "fiub":
        targets = _convert(targets)
    check_finite(targets, "y")
    return targets


def names_of_targets(y: Any) -> list[str] | None:
    """Return the names of the columns of y, a DataFrame or a named Series; None without names.

    Raises
    ------
    ValueError
        If columns have the same name.
    """
    names = getattr(y, "columns", None)
    names = [getattr(y, "name", None)] if names is None else list(names)
    require_distinct(names)
    return names if names and all(isinstance(name, str) and name for name in names) else None


def require_distinct(names: Sequence[Hashable]) -> None:
    """Raise ValueError if columns of y have the same name."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise ValueError(
            f"y has several columns named {twice!r}; give every column a name of its own"
        )


def warn_rounded(targets: AnyArray, units: FloatArray, names: Sequence[str] | None) -> None:
    """Warn if rounding to the grid removes much of how targets vary, as of small changes of 1e9.

    Parameters
    ----------
    targets : ndarray of shape (n,) or (n, m), finite numbers
    units : ndarray of shape (m,)
        Grid units per 1.0 of each column.
    names : sequence of str, optional
        Names of the columns.
    """
    for place, unit in enumerate(units.tolist()):
        column = targets.reshape(len(targets), -1)[:, place].astype(np.float64)
        lost = np.sqrt(np.mean(np.square(column - np.rint(column * unit) / unit)))
        if np.ptp(column) == 0 or lost <= ROUNDED_SHARE * column.std():
            continue
        name = place if names is None else repr(names[place])
        warnings.warn(
            f"column {name} of y varies by {column.std():.3g} around {column.mean():.3g}, and is "
            f"rounded to multiples of {1 / unit:.3g}: predictions and intervals will miss what is "
            "lost; subtract the mean of the targets and divide by their standard deviation first "
            "(scikit-learn's TransformedTargetRegressor does both)",
            stacklevel=5,
        )
        return


def _convert(targets: AnyArray) -> AnyArray:
    """Convert Python objects and texts to numbers, one by one."""
    converted = np.zeros(targets.shape)
    for place, target in np.ndenumerate(targets.astype(object)):
        try:
            converted[place] = float(target)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(
                f"row {place[0]} of y is {target!r}; a regressor takes numbers, a classifier takes "
                "labels"
            ) from None
    return converted
