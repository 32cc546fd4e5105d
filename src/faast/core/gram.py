"""The Gram matrix of rows, computed when it is first read, while the rows are few."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg.blas import dsyrk

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast._utils.threads import threads_for
from faast.core.grid import EXACT_LIMIT

LIGHT = EXACT_LIMIT / 2
"""A part of rows holds at most this load and one row more, which may be as heavy."""

MOST_WAITING = 2.0**62
"""Bound on the sums of waiting rows, so that their products fit into 64 bits."""


class WaitingRows(NamedTuple):
    """Rows whose products are still to be summed.

    Attributes
    ----------
    keys : ndarray of shape (n, d), int32
        In grid units.
    weights : ndarray of shape (n,), float64
        Negative for rows that were removed.
    bound : float
        Upper bound on the absolute entries of their Gram matrix.
    """

    keys: AnyArray
    weights: FloatArray
    bound: float

    @classmethod
    def of(cls, keys: FloatArray, weights: FloatArray | None, peak: float) -> WaitingRows:
        """Copy rows with entries up to `peak`."""
        weights = np.ones(len(keys)) if weights is None else weights.copy()
        return cls(keys.astype(np.int32), weights, float(weights.sum()) * peak**2)


@dataclass(frozen=True, eq=False)
class Gram:
    """Sum of key keyᵀ over rows; never changed in place.

    Few rows in wide columns are cheaper to keep than their products: up to d rows wait, and solvers
    that work on products of rows with each other never read the Gram matrix.

    Attributes
    ----------
    n_features : int
        d.
    exact : bool
        Whether the weights, and so the sums, are integers.
    summed : ndarray of shape (d, d), int64 or float64, or None
        Lower triangle of the sum over the rows that do not wait; None for zeros.
    waiting : tuple of WaitingRows
    """

    n_features: int
    exact: bool
    summed: AnyArray | None = None
    waiting: tuple[WaitingRows, ...] = ()

    @cached_property
    def lower(self) -> AnyArray:
        """Lower triangle of the sum over all rows: (d, d), int64 if exact, else float64."""
        dtype = np.int64 if self.exact else np.float64
        total = np.zeros((self.n_features,) * 2, dtype) if self.summed is None else self.summed
        total = total.astype(dtype, copy=False)
        if not self.waiting:
            return total
        keys = np.concatenate([rows.keys for rows in self.waiting])
        weights = np.concatenate([rows.weights for rows in self.waiting])
        return total + (_exact_products if self.exact else _products)(keys, weights)

    def __add__(self, other: Gram) -> Gram:
        return self._combine(other, 1)

    def __sub__(self, other: Gram) -> Gram:
        return self._combine(other, -1)

    def scale(self, factor: float) -> Gram:
        """Return the matrix times a factor; it is no longer exact."""
        settled = self._settled()
        summed = None if settled.summed is None else settled.summed * float(factor)
        waiting = tuple(r._replace(weights=r.weights * factor) for r in settled.waiting)
        return Gram(self.n_features, False, summed, waiting)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        settled = self._settled()
        waiting = sum(rows.keys.nbytes + rows.weights.nbytes for rows in settled.waiting)
        return waiting + (0 if settled.summed is None else settled.summed.nbytes)

    def _combine(self, other: Gram, sign: int) -> Gram:
        mine, theirs = self._settled(), other._settled()
        exact, summed = mine.exact and theirs.exact, mine.summed
        if theirs.summed is not None:
            summed = sign * theirs.summed if summed is None else summed + sign * theirs.summed
        taken = tuple(rows._replace(weights=sign * rows.weights) for rows in theirs.waiting)
        both = Gram(self.n_features, exact, summed, (*mine.waiting, *taken))
        n_waiting = sum(len(rows.keys) for rows in both.waiting)
        bound = sum(rows.bound for rows in both.waiting) if exact else 0.0
        if n_waiting > self.n_features or bound > MOST_WAITING:
            return Gram(self.n_features, exact, both.lower)
        return both

    def _settled(self) -> Gram:
        """Return the same matrix without waiting rows, if they have been summed already."""
        if self.waiting and "lower" in vars(self):
            return Gram(self.n_features, self.exact, self.lower)
        return self


def _products(keys: AnyArray, weights: FloatArray) -> AnyArray:
    """Return the lower triangle of Σ weight key keyᵀ: (d, d), float64."""
    rows = keys.astype(np.float64)
    with threads_for(rows.size * rows.shape[1]):
        return np.tril((rows * weights[:, None]).T @ rows)


def _exact_products(keys: AnyArray, weights: FloatArray) -> AnyArray:
    """Return the lower triangle of Σ weight key keyᵀ, exact: (d, d), int64.

    Float64 products are exact while Σ |weight| max key² stays below 2**53, so rows are taken in
    parts. A row that is too heavy for any part is multiplied by its weight as integers.
    """
    n_rows, width = keys.shape
    total = np.zeros((width, width), np.int64)
    loads = np.abs(weights) * np.abs(keys).max(axis=1, initial=1).astype(np.float64) ** 2
    with threads_for(n_rows * width * width):
        for weight in (1.0, -1.0):  # rows learned and removed once: symmetric products
            for part in _parts(loads, weights == weight):
                total += dsyrk(weight, keys[part].astype(np.float64).T).T.astype(np.int64)
        for part in _parts(loads, np.abs(weights) != 1.0):
            total += _products(keys[part], weights[part]).astype(np.int64)
    for row in np.flatnonzero(loads > LIGHT):
        key = keys[row].astype(np.int64)
        total += np.tril(np.outer(key, key)) * int(weights[row])
    return total


def _parts(loads: FloatArray, chosen: AnyArray) -> Iterator[IntArray]:
    """Yield indices of chosen rows that are not too heavy, in parts of a total load below 2**53."""
    rows = np.flatnonzero(chosen & (loads <= LIGHT))
    number = np.cumsum(loads[rows]) // LIGHT
    yield from (rows[number == part] for part in np.unique(number))
