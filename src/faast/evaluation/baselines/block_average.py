"""The paper's incremental update: an average of the solutions of separate blocks of rows."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from faast._utils.arrays import FloatArray
from faast._utils.validation import as_rows, to_numpy
from faast.estimators.memory import AssociativeMemory
from faast.solvers import PseudoInverse, Solver


class BlockAverageMemory:
    """The paper's incremental memory: solutions of blocks, averaged by their numbers of pairs.

    New pairs wait in a buffer of `bank_size`. While the buffer is full when a call starts to learn,
    its oldest `block_size` pairs are solved on their own and averaged into the weights (FAAST,
    arXiv:2605.04651, Eq. 14):

        W0 ← (N0 W0 + n W_block) / (N0 + n),    N0 ← N0 + n.

    `matrix` averages in the solution of the buffered pairs in the same way. Each solution takes its
    tolerance from its own number of pairs. The average differs from the solution of all pairs: it
    depends on their order and batching, and on streams sorted by class its accuracy is tens of
    points below that of `AssociativeMemory`.

    Parameters
    ----------
    solver : Solver, optional
        ``PseudoInverse(alpha=0.8)`` by default.
    bank_size : int
        Number of pairs from which on the buffer is full.
    block_size : int
        Number of pairs that are solved at a time, at most `bank_size`.
    discount : float
        Multiplies N0 before each update and each read. The paper uses values below 1 in training
        only.

    Raises
    ------
    ValueError
        If `block_size` is not in 1 to `bank_size`.
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
        """Forget all pairs."""
        self._keys: FloatArray | None = None
        self._values: FloatArray | None = None
        self._matrix: FloatArray | None = None
        self._count = 0.0
        return self

    def learn(self, keys: Any, values: Any) -> Self:
        """Append pairs to the buffer.

        Parameters
        ----------
        keys : array-like of shape (n, n_features)
        values : array-like of shape (n, n_outputs)
        """
        new_keys = np.asarray(to_numpy(as_rows(keys, "keys")), dtype=np.float64)
        new_values = np.asarray(to_numpy(as_rows(values, "values")), dtype=np.float64)
        if self._keys is None or self._values is None:
            self._keys, self._values = new_keys, new_values
            return self
        while len(self._keys) >= self.bank_size:
            block = slice(None, self.block_size)
            self._matrix, self._count = self._average_in(self._keys[block], self._values[block])
            rest = slice(self.block_size, None)
            self._keys, self._values = self._keys[rest], self._values[rest]
        self._keys = np.concatenate([self._keys, new_keys])
        self._values = np.concatenate([self._values, new_values])
        return self

    @property
    def matrix(self) -> FloatArray:
        """Weights with the buffered pairs averaged in, ndarray of shape (n_features, n_outputs)."""
        if self._keys is None or self._values is None:
            raise ValueError("nothing has been learned yet; call learn(keys, values) first")
        return self._average_in(self._keys, self._values)[0]

    def read(self, queries: Any) -> FloatArray:
        """Multiply queries of shape (n, n_features) by the weights: (n, n_outputs), float64."""
        rows = to_numpy(as_rows(queries, "queries"))
        return np.asarray(rows, dtype=np.float64) @ self.matrix

    def _average_in(self, keys: FloatArray, values: FloatArray) -> tuple[FloatArray, float]:
        """Return the weights and the count once these pairs are averaged in."""
        memory = AssociativeMemory(self.solver, grid=None, selection_rows=keys.shape[1] // 2)
        solved = memory.learn(keys, values).weights.matrix
        before, n_pairs = self._count * self.discount, len(keys)
        after = before + n_pairs
        if self._matrix is None or not after:
            return solved, after
        return self._matrix * (before / after) + solved * (n_pairs / after), after
