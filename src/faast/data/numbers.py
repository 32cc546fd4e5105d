"""Numbers that a model shall predict, read from the cells of a file."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np

SHOWN_CHARACTERS = 40
"""Characters of a cell that an error message shows."""


def parse_number(value: Any, column: str) -> float:
    """Convert a value of a file to the number that it stands for.

    Numbers are numbers, or texts that spell one with a point ("12.5", "-3", "1e6"), with spaces
    around it or without.

    Parameters
    ----------
    value : object
    column : str
        The column that error messages name.

    Raises
    ------
    ValueError
        If the value is missing, not finite, or no number.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        raise ValueError(f"{column} is missing; fill it in or leave the row out")
    number = _convert(value)
    if number is None:
        raise ValueError(f"{column} is {_show(value)}; expected a number such as 12.5")
    if not math.isfinite(number):
        raise ValueError(f"{column} is {_show(value)}; expected a finite number")
    return number


def _convert(value: Any) -> float | None:
    """Return a value as a float; None if it is no number."""
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    is_text = isinstance(value, str) and "_" not in value  # Python reads 1_000 as 1000
    if not is_number and not is_text:
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf


def _show(value: Any) -> str:
    shown = repr(str(value) if isinstance(value, Decimal) else value)
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}…"
