"""Seconds a call: one call after another, or several taking turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import numpy as np

from faast._typing import FloatArray

CALL_SECONDS = 0.5
"""Calls of one kind go on for about this long, 20 at least and 1,000 at most."""


def call_seconds(call: Callable[[int], Any]) -> FloatArray:
    """Time calls one by one, after three that warm up.

    Parameters
    ----------
    call : callable
        Given the number of the call.

    Returns
    -------
    ndarray of shape (n_calls,), float64
    """
    for i in range(3):
        call(i)
    spent: list[float] = []
    while len(spent) < 20 or (sum(spent) < CALL_SECONDS and len(spent) < 1_000):
        spent.append(_timed(lambda: call(len(spent))))
    return np.array(spent)


def in_turns(calls: Mapping[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    """Time calls that take turns, so that what disturbs the machine disturbs them alike.

    Parameters
    ----------
    calls : mapping of name to callable
    turns : int
        Counted after one that warms up.

    Returns
    -------
    dict of name to float
        Median seconds.
    """
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(turns + 1):
        for name, call in calls.items():
            seconds = _timed(call)
            if turn:
                spent[name].append(seconds)
    return {name: median(seconds) for name, seconds in spent.items()}


def _timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
