"""The least time that learning can take: its products at the rate that this machine multiplies."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.linalg.blas import dsyrk, ssyrk

from faast.evaluation.measure import time_in_turns

TURNS = 9
SHAPE = (4_096, 1_024)


@lru_cache
def product_rates() -> dict[str, float]:
    """Return the products and sums a second of Gram matrices, measured in both precisions."""
    rows = np.random.default_rng(0).standard_normal(SHAPE)
    calls = {
        "float64": lambda: dsyrk(1.0, rows.T),
        "float32": lambda: ssyrk(1.0, narrow.T),
    }
    narrow = rows.astype(np.float32)
    seconds = time_in_turns(calls, TURNS)
    return {name: gram_work(*SHAPE) / spent for name, spent in seconds.items()}


def gram_work(rows: int, features: int) -> float:
    """Return the products and sums of a symmetric Gram matrix, on its smaller side."""
    small, large = sorted((rows, features))
    return float(large) * small * (small + 1)


def solve_work(size: int, classes: int) -> float:
    """Return the products and sums of a Cholesky factorisation and two triangular solves."""
    return size**3 / 3 + 2.0 * size**2 * classes


def least_seconds(rows: int, features: int, classes: int, n_random_features: int = 0) -> float:
    """Return the seconds of the products that learning needs, each done once.

    Parameters
    ----------
    rows, features, classes : int
        Shape of what is learned.
    n_random_features : int
        Width of the rows' random features, whose products are in float32; 0 if they are not used.
    """
    rates = product_rates()
    plain = gram_work(rows, features) + solve_work(min(rows, features), classes)
    if not n_random_features:
        return plain / rates["float64"]
    wide = solve_work(n_random_features, classes) / rates["float64"]
    return plain / rates["float64"] + gram_work(rows, n_random_features) / rates["float32"] + wide


def describe() -> str:
    """Return a sentence that says what the least time is."""
    rates = product_rates()
    told = " and ".join(f"{rate / 1e9:.0f} GFLOP/s in {name}" for name, rate in rates.items())
    return (
        f"Least time: one Gram matrix, one Cholesky factorisation and two triangular solves of the "
        f"rows, and the same of their random features, at this machine's measured {told}."
    )
