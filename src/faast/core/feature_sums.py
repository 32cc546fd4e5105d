"""Moments of random features: float32 products of small integers, exact and twice as fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.linalg.blas import ssyrk

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast._utils.threads import threads_for
from faast.core.grid import BLOCK_ROWS
from faast.core.moments import Moments
from faast.core.random_features import RandomFeatures

EXACT_FLOAT32 = 2.0**24 - 2.0**17
"""Below this, sums of integers are exact, even if the bound itself was summed in float32."""


class _Layer(NamedTuple):
    """Rows whose products are multiplied by a factor, each row by the root of a weight first."""

    factor: float
    rows: IntArray
    roots: AnyArray | None


def sum_features(
    features: RandomFeatures,
    narrow: AnyArray,
    classes: IntArray,
    weights: FloatArray,
    n_classes: int,
) -> Moments:
    """Return moments of random features and one-hot classes, exact if all weights are integers.

    Parameters
    ----------
    features : RandomFeatures
    narrow : ndarray of shape (n, d), int8
        Rounded rows.
    classes : ndarray of shape (n,), int
    weights : ndarray of shape (n,)
    n_classes : int

    Returns
    -------
    Moments
        float64, in the units of the features.
    """
    width = features.width
    gram, cross = np.zeros((width, width)), np.zeros((width, n_classes))
    with threads_for(len(narrow) * width * width):
        for factor, rows, roots in _layers(weights):
            products = _Products(width)
            for start in range(0, len(rows), BLOCK_ROWS):
                block = slice(start, start + BLOCK_ROWS)
                mapped = features.map(narrow[rows[block]])
                marks = np.ones(len(mapped), np.float32)
                if roots is not None:
                    marks = roots[block]
                    mapped *= marks[:, None]
                products.add(mapped)
                places, shape = np.arange(len(mapped)), (n_classes, len(mapped))
                one_hot = sparse.csr_array((marks, (classes[rows[block]], places)), shape=shape)
                cross += factor * (one_hot @ mapped).T
            gram += factor * products.total()
    counts = np.bincount(classes, weights, n_classes)
    sums = {
        "count": np.asarray(weights.sum()),
        "cross": cross,
        "key_sum": cross.sum(axis=1),
        "key_square_sum": gram.diagonal().copy(),
        "value_sum": counts,
        "value_square_sum": counts,
    }
    return Moments.from_sums(sums, gram)


def _layers(weights: FloatArray) -> Iterator[_Layer]:
    """Split whole weights into powers of two, so that a row counts 2**k times in layer k."""
    whole = weights.astype(np.int64)
    if np.array_equal(whole, weights):
        for bit in range(int(whole.max(initial=0)).bit_length()):
            yield _Layer(2.0**bit, np.flatnonzero((whole >> bit) & 1), None)
    else:
        yield _Layer(1.0, np.arange(len(weights)), np.sqrt(weights).astype(np.float32))


class _Products:
    """Sums products of columns in float32, and empties them into float64 while they are exact."""

    def __init__(self, width: int) -> None:
        self._total = np.zeros((width, width))
        self._running = np.zeros((width, width), np.float32)
        self._held = np.zeros(width)

    def add(self, rows: AnyArray) -> None:
        """Add the products of rows (n, width); a single row fits in any case."""
        squares = np.einsum("ij,ij->j", rows, rows)
        if squares.max(initial=0.0) > EXACT_FLOAT32 and len(rows) > 1:
            for half in np.array_split(rows, 2):
                self.add(half)
            return
        if (self._held + squares).max(initial=0.0) > EXACT_FLOAT32:
            self.total()
        # BLAS sees the C-ordered sums as their transposes and adds in place
        ssyrk(1.0, rows.T, beta=1.0, c=self._running.T, overwrite_c=1)
        self._held += squares

    def total(self) -> FloatArray:
        """Return the lower triangle of the sums."""
        self._total += self._running
        self._running.fill(0.0)
        self._held.fill(0.0)
        return self._total
