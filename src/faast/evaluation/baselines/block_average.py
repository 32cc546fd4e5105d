"""The paper's inexact incremental update, for comparison only."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from faast._utils.arrays import FloatArray
from faast._utils.validation import as_rows, to_numpy
from faast.estimators.memory import AssociativeMemory
from faast.solvers import PseudoInverse, Solver


class BlockAverageMemory:
    """A bank of pairs, averaged block by block into one matrix (FAAST, arXiv 2605.04651, Eq. 14).

    Before a call learns, while the bank holds `bank_size` pairs or more, its oldest `block_size`
    are solved on their own and folded in: W0 ← W0 · N0 / (N0 + n) + W_block · n / (N0 + n), then
    N0 ← N0 + n. The bank is solved on top in the same way when it is read. Each piece takes its
    tolerance from its own number of pairs. The average is not the joint solution: what comes out
    depends on order and batching, and on streams sorted by class it is tens of points worse than
    `AssociativeMemory`.

    Parameters
    ----------
    solver : Solver, optional
        ``PseudoInverse(alpha=0.8)`` by default.
    bank_size, block_size : int
    discount : float
        N0 is multiplied by it before each update and each read; 1 but in training.
    """

    def __init__(
        self,
        solver: Solver | None = None,
        bank_size: int = 65_536,
        block_size: int = 8_192,
        discount: float = 1.0,
    ) -> None:
        if not 0 < block_size <= bank_size:
            raise ValueError(
                f"block_size must be in 1 to bank_size, got {block_size} of {bank_size}"
            )
        self.solver = solver if solver is not None else PseudoInverse(alpha=0.8)
        self.bank_size, self.block_size, self.discount = bank_size, block_size, discount
        self.reset()

    def reset(self) -> Self:
        """Forget everything."""
        self._keys: FloatArray | None = None
        self._values: FloatArray | None = None
        self._matrix: FloatArray | None = None
        self._count = 0.0
        return self

    def learn(self, keys: Any, values: Any) -> Self:
        """Append pairs to the bank: keys of shape (n, d), values of shape (n, m)."""
        new_keys = np.asarray(to_numpy(as_rows(keys, "keys")), dtype=np.float64)
        new_values = np.asarray(to_numpy(as_rows(values, "values")), dtype=np.float64)
        if self._keys is None or self._values is None:
            self._keys, self._values = new_keys, new_values
            return self
        while len(self._keys) >= self.bank_size:
            block = slice(None, self.block_size)
            self._matrix, self._count = self._folded(self._keys[block], self._values[block])
            rest = slice(self.block_size, None)
            self._keys, self._values = self._keys[rest], self._values[rest]
        self._keys = np.concatenate([self._keys, new_keys])
        self._values = np.concatenate([self._values, new_values])
        return self

    @property
    def matrix(self) -> FloatArray:
        """The fast weights, the bank solved on top: ndarray of shape (d, m)."""
        if self._keys is None or self._values is None:
            raise ValueError("nothing has been learned yet; call learn(keys, values) first")
        return self._folded(self._keys, self._values)[0]

    def read(self, queries: Any) -> FloatArray:
        """Read queries: array-like of shape (n, d) to ndarray of shape (n, m)."""
        rows = to_numpy(as_rows(queries, "queries"))
        return np.asarray(rows, dtype=np.float64) @ self.matrix

    def _folded(self, keys: FloatArray, values: FloatArray) -> tuple[FloatArray, float]:
        memory = AssociativeMemory(self.solver, grid=None, selection_rows=keys.shape[1] // 2)
        solved = memory.learn(keys, values).weights.matrix
        before, n_pairs = self._count * self.discount, len(keys)
        after = before + n_pairs
        if self._matrix is None or not after:
            return solved, after
        return self._matrix * (before / after) + solved * (n_pairs / after), after
