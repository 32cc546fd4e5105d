"""Sums over blocks of rounded rows: float64 products with a checked bound, kept in int64."""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dgemm, dgemv, dsyrk
from scipy.sparse import csr_array

from faast._utils.arrays import FloatArray
from faast.core.gram import Gram, WaitingRows
from faast.core.grid import EXACT_LIMIT
from faast.core.sums import INT64_LIMIT, Sums, add_sums, check_room, diagonals, empty_sums

MANY_COLUMNS = 16
"""With fewer columns of values, or fewer per value that is not 0, dense products are faster."""


class BlockSums:
    """Adds up the sums and products of blocks of rounded rows.

    Products are added in place by BLAS (a symmetric rank-k update for the Gram matrix) to float64
    accumulators. In exact mode their diagonals, which bound every other sum, are kept below 2**53:
    before a block could exceed this limit, the accumulators are emptied into int64 sums.

    Parameters
    ----------
    n_features, n_values : int
    exact : bool
        Keep exact integer sums, for rows that are integers. The first weight that is not an
        integer ends this: from then on the sums are float64.
    waits : bool
        Let up to `n_features` rows wait before their products are summed; see `Gram`.
    """

    def __init__(self, n_features: int, n_values: int, exact: bool, waits: bool = False) -> None:
        self.exact = exact
        self._n_features = n_features
        self._total: Sums | None = None
        self._running = empty_sums(n_features, n_values, np.float64)
        self._waits, self._waiting = waits and exact, list[WaitingRows]()
        if not self._waits:
            self._running["gram"] = np.zeros((n_features, n_features))

    def add(
        self, keys: FloatArray, values: FloatArray, weights: FloatArray | None, peak: float
    ) -> None:
        """Add a block; to stay exact, empty the accumulators first or halve the block.

        Parameters
        ----------
        keys : ndarray of shape (n, d), float64, C-contiguous
        values : ndarray of shape (n, m), float64, C-contiguous
        weights : ndarray of shape (n,) or None
        peak : float
            Upper bound on the absolute entries of keys and values.

        Raises
        ------
        OverflowError
            If the sums would leave 64-bit integers.
        """
        if self.exact and weights is not None and np.any(weights != np.rint(weights)):
            self.exact = False
            if self._total is not None:
                self._total = {name: s.astype(np.float64) for name, s in self._total.items()}
        if self._waits:
            n_rows = len(keys) + sum(len(rows.keys) for rows in self._waiting)
            if n_rows <= self._n_features:
                self._waiting.append(WaitingRows.of(keys, weights, peak))
            else:
                self._stop_waiting()
        self._add(keys, values, weights, peak)

    def finish(self) -> tuple[Sums, Gram]:
        """Return the sums, int64 where exact, else float64."""
        sums = dict(self._sums())
        gram = Gram(self._n_features, self.exact, sums.pop("gram", None))
        if self._waiting:
            gram = Gram(self._n_features, self.exact, None, tuple(self._waiting)) + gram
        return sums, gram

    def _stop_waiting(self) -> None:
        """Sum products from the next block on."""
        self._waits = False
        shape = self._n_features, self._n_features
        self._running["gram"] = np.zeros(shape)
        if self._total is not None:
            self._total["gram"] = np.zeros(shape, self._total["count"].dtype)

    def _add(
        self, keys: FloatArray, values: FloatArray, weights: FloatArray | None, peak: float
    ) -> None:
        if self.exact:
            heaviest = 1.0 if weights is None else max(1.0, float(weights.max(initial=0.0)))
            bound = len(keys) * heaviest * max(peak, 1.0) ** 2
            held = self._held()
            if held + bound > EXACT_LIMIT:  # then a tighter bound is worth a pass over the block
                squares = (np.einsum("ij,ij->j", rows, rows).max() for rows in (keys, values))
                bound = heaviest * max(len(keys), *squares)
            if held and held + bound > EXACT_LIMIT:
                self._empty()
            if bound > EXACT_LIMIT:
                self._add_parts(keys, values, weights, peak)
                return
        self._accumulate(keys, values, weights)

    def _sums(self) -> Sums:
        if self._total is None and not self.exact:
            return self._running
        self._empty()
        assert self._total is not None
        return self._total

    def _held(self) -> float:
        return max(float(d.max(initial=0.0)) for d in diagonals(self._running).values())

    def _accumulate(self, keys: FloatArray, values: FloatArray, weights: FloatArray | None) -> None:
        running = self._running
        if weights is None:
            weights = np.ones(len(keys))
            weighted_keys, weighted_values = keys, values
            if not self._waits:
                # BLAS sees the C-ordered sums as their transposes and adds in place
                dsyrk(1.0, keys.T, beta=1.0, c=running["gram"].T, overwrite_c=1)
        else:
            weighted_keys, weighted_values = keys * weights[:, None], values * weights[:, None]
            if not self._waits:
                running["gram"] += np.tril(weighted_keys.T @ keys)
        running["count"] += weights.sum()
        running["key_sum"] += dgemv(1.0, keys.T, weights)
        running["key_square_sum"] += np.einsum("ij,ij->j", keys, weighted_keys)
        if not values.shape[1]:  # BLAS takes no empty matrix
            return
        add_cross(running["cross"], keys, weighted_values, self.exact)
        running["value_sum"] += dgemv(1.0, values.T, weights)
        running["value_square_sum"] += np.einsum("ij,ij->j", values, weighted_values)

    def _add_parts(
        self, keys: FloatArray, values: FloatArray, weights: FloatArray | None, peak: float
    ) -> None:
        if len(keys) == 1:
            assert weights is not None  # a row of weight 1 always fits
            self._add_heavy_row(keys, values, float(weights[0]), peak)
            return
        half = len(keys) // 2
        for part in (slice(None, half), slice(half, None)):
            part_weights = None if weights is None else weights[part]
            self._add(keys[part], values[part], part_weights, peak)

    def _add_heavy_row(
        self, keys: FloatArray, values: FloatArray, weight: float, peak: float
    ) -> None:
        """Add a row of large weight: sum it once, then multiply the integer sums by the weight."""
        single = BlockSums(keys.shape[1], values.shape[1], exact=True, waits=self._waits)
        single._add(keys, values, None, peak)
        once = single._sums()
        if weight * max(float(d.max(initial=0)) for d in diagonals(once).values()) >= INT64_LIMIT:
            raise OverflowError(
                f"a row of weight {weight:g} would leave the 64-bit integers that keep sums exact; "
                "use a smaller weight"
            )
        self._empty()
        assert self._total is not None
        self._total = add_sums(self._total, {name: s * int(weight) for name, s in once.items()})

    def _empty(self) -> None:
        dtype = np.int64 if self.exact else np.float64
        if self._total is None:
            self._total = {name: s.astype(dtype) for name, s in self._running.items()}
        else:
            if self.exact:
                check_room(self._total, self._running)
            for name, s in self._running.items():
                np.add(self._total[name], s, out=self._total[name], dtype=dtype, casting="unsafe")
        for s in self._running.values():
            s.fill(0.0)


def add_cross(cross: FloatArray, keys: FloatArray, values: FloatArray, exact: bool) -> None:
    """Add keysᵀ values to `cross` (d, m) in place.

    Where almost all values are 0, as those of many classes are, only the others are multiplied.
    Sums of integers are the same either way.
    """
    n_columns = values.shape[1]
    some = values[:MANY_COLUMNS]
    may_be_sparse = exact and np.count_nonzero(some) * MANY_COLUMNS <= some.size
    filled = np.flatnonzero(values != 0.0) if may_be_sparse else ()
    if not len(filled) or len(filled) * MANY_COLUMNS > values.size:
        dgemm(1.0, values.T, keys.T, beta=1.0, c=cross.T, trans_b=1, overwrite_c=1)
        return
    rows, columns = np.divmod(filled, n_columns)
    order = np.argsort(columns, kind="stable")
    rows, columns = rows[order], columns[order]
    starts = np.flatnonzero(np.diff(columns, prepend=-1))
    ends = np.append(starts, len(rows))
    by_class = csr_array((values[rows, columns], rows, ends), shape=(len(starts), len(keys)))
    cross[:, columns[starts]] += (by_class @ keys).T
