"""Sums of products over the blocks of one call: certified exact in float64, kept in int64."""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dgemm, dsyrk

from faast._typing import AnyArray, FloatArray
from faast.grid import EXACT_LIMIT

Sums = dict[str, AnyArray]
"""The sufficient statistics by name, see `empty_sums`."""

INT64_LIMIT = 2.0**63

LOOSE_LIMIT = EXACT_LIMIT / 64
"""A cheap bound above this would have the float64 sums emptied after a few blocks."""


def empty_sums(n_features: int, n_values: int, dtype: type) -> Sums:
    """Zero sums: count (), gram (d, d), cross (d, m), key_sum (d,), value sums (m,).

    Of the symmetric Gram matrix only the lower triangle is kept.
    """
    shapes: dict[str, tuple[int, ...]] = {
        "count": (),
        "gram": (n_features, n_features),
        "cross": (n_features, n_values),
        "key_sum": (n_features,),
        "value_sum": (n_values,),
        "value_square_sum": (n_values,),
    }
    return {name: np.zeros(shape, dtype) for name, shape in shapes.items()}


def add_sums(left: Sums, right: Sums, sign: int = 1) -> Sums:
    """Return ``left + sign * right``; int64 stays int64, anything else becomes float64.

    Raises
    ------
    OverflowError
        An integer sum would leave int64.
    """
    exact = left["count"].dtype == right["count"].dtype == np.int64
    if exact and sign > 0:
        _check_room(left, right)
    combined = {name: left[name] + sign * right[name] for name in left}
    return combined if exact else {name: np.asarray(s, np.float64) for name, s in combined.items()}


def diagonals(sums: Sums) -> dict[str, AnyArray]:
    """Select sums of squares and counts: by Cauchy-Schwarz they bound every other sum."""
    return {
        "count": sums["count"],
        "key_square_sum": sums["gram"].diagonal(),
        "value_square_sum": sums["value_square_sum"],
    }


def _check_room(left: Sums, right: Sums) -> None:
    for name, other in diagonals(right).items():
        total = diagonals(left)[name].astype(np.float64) + other.astype(np.float64)
        if total.size and total.max() >= INT64_LIMIT:
            raise OverflowError(
                f"{name} would leave the 64-bit integers that keep sums exact; use a coarser grid "
                "(grid=16) or a larger scale, or start a second Moments"
            )


class BlockSums:
    """Accumulates blocks of grid rows.

    Products are added in place by BLAS (a symmetric rank-k update for the Gram matrix) to float64
    accumulators. In exact mode a running bound keeps them below 2**53, and they are emptied into
    int64 sums before the bound could be passed.

    Parameters
    ----------
    n_features, n_values : int
    exact : bool
        Rows are integers and the sums are to be exact. A block with weights that are no integers
        ends this: from then on the sums are float64.
    """

    def __init__(self, n_features: int, n_values: int, exact: bool) -> None:
        self.exact = exact
        self._shape = n_features, n_values
        self._total: Sums | None = None
        self._running: Sums | None = None
        self._bound = 0.0

    def add(
        self, keys: FloatArray, values: FloatArray, weights: FloatArray | None, bound: float
    ) -> None:
        """Add a block.

        Parameters
        ----------
        keys : ndarray of shape (n, d), float64, C-contiguous
        values : ndarray of shape (n, m), float64, C-contiguous
        weights : ndarray of shape (n,) or None
        bound : float
            No sum over the block exceeds it; at most 2**53 in exact mode.
        """
        if self.exact and weights is not None and np.any(weights != np.rint(weights)):
            self._empty()
            self.exact = False
        if self.exact and self._bound + bound > EXACT_LIMIT:
            self._empty()
        if self._running is None:
            self._running = empty_sums(*self._shape, np.float64)
        self._bound += bound
        running = self._running
        # BLAS sees the C-ordered sums as their transposes and adds in place
        gram, cross = running["gram"].T, running["cross"].T
        if weights is None:
            weighted_keys, weighted_values, count = keys, values, float(len(keys))
            dsyrk(1.0, keys.T, beta=1.0, c=gram, overwrite_c=1)
        else:
            weighted_keys, weighted_values = keys * weights[:, None], values * weights[:, None]
            count = float(weights.sum())
            running["gram"] += np.tril(weighted_keys.T @ keys)
        dgemm(1.0, weighted_values.T, keys.T, beta=1.0, c=cross, trans_b=1, overwrite_c=1)
        running["count"] += count
        running["key_sum"] += weighted_keys.sum(axis=0)
        running["value_sum"] += weighted_values.sum(axis=0)
        running["value_square_sum"] += np.einsum("ij,ij->j", values, weighted_values)

    def add_certified(
        self, keys: FloatArray, values: FloatArray, weights: FloatArray | None, peak: float
    ) -> None:
        """Add a block, halved until the bound on its sums allows exact float64 products.

        Parameters
        ----------
        keys, values, weights
            As for `add`.
        peak : float
            No entry of keys or values exceeds it.

        Raises
        ------
        OverflowError
            A single row is too heavy.
        """
        heaviest = 1.0 if weights is None else max(1.0, float(weights.max(initial=0.0)))
        bound = len(keys) * heaviest * peak**2
        if self.exact and bound > LOOSE_LIMIT:  # then a tighter one is worth a pass over the block
            squares = (np.einsum("ij,ij->j", rows, rows).max() for rows in (keys, values))
            bound = heaviest * float(max(squares))
        if self.exact and bound > EXACT_LIMIT and len(keys) > 1:
            half = len(keys) // 2
            for part in (slice(None, half), slice(half, None)):
                part_weights = None if weights is None else weights[part]
                self.add_certified(keys[part], values[part], part_weights, peak)
        elif self.exact and bound > EXACT_LIMIT:
            raise OverflowError(f"a row of weight {heaviest:g} is too heavy to be summed exactly")
        else:
            self.add(keys, values, weights, bound)

    def finish(self) -> Sums:
        """Return the sums: int64 where exact, else float64."""
        self._empty()
        return self._total or empty_sums(*self._shape, np.int64 if self.exact else np.float64)

    def _empty(self) -> None:
        if self._running is not None:
            dtype = np.int64 if self.exact else np.float64
            emptied = {name: s.astype(dtype) for name, s in self._running.items()}
            self._total = emptied if self._total is None else add_sums(self._total, emptied)
        self._running, self._bound = None, 0.0
