"""The paper's incremental update as a memory over arrays, for comparison only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from faast._utils.arrays import FloatArray
from faast._utils.validation import as_rows, to_numpy
from faast.estimators.memory import AssociativeMemory
from faast.solvers import PseudoInverse, Solver
from faast.solvers.block_average import BlockAverage


@dataclass(frozen=True)
class ArrayBlockAverage(BlockAverage[FloatArray]):
    """Block average over float64 arrays.

    Attributes
    ----------
    solver : Solver
        Solves each block.
    """

    solver: Solver = field(default_factory=PseudoInverse)

    def solve_block(self, keys: FloatArray, values: FloatArray) -> FloatArray:
        """Solve one block from plain float64 sums."""
        memory = AssociativeMemory(self.solver, grid=None, selection_rows=keys.shape[1] // 2)
        return memory.learn(keys, values).weights.matrix

    def concatenate(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Append rows to rows."""
        return np.concatenate([first, second])


class BlockAverageMemory:
    """The block average of `faast.solvers.block_average.BlockAverage`, learned and read in place.

    On streams that are sorted by class it is tens of points worse than `AssociativeMemory`.

    Parameters
    ----------
    solver : Solver, optional
        ``PseudoInverse(alpha=0.8)`` by default; each block takes its tolerance from its own number
        of pairs.
    buffer_size, block_size : int
        Pairs in the full buffer, and in a block.
    discount : float
        Factor on the count of the folded pairs before each update and each read; 1 except in
        training.

    Raises
    ------
    ValueError
        The block is empty or larger than the buffer.
    """

    def __init__(
        self,
        solver: Solver | None = None,
        buffer_size: int = 65_536,
        block_size: int = 8_192,
        discount: float = 1.0,
    ) -> None:
        if not 0 < block_size <= buffer_size:
            raise ValueError(
                f"block_size must be in 1 to buffer_size, got {block_size} of {buffer_size}"
            )
        self.solver = solver if solver is not None else PseudoInverse(alpha=0.8)
        self.buffer_size, self.block_size, self.discount = buffer_size, block_size, discount
        self.reset()

    def reset(self) -> Self:
        """Forget everything."""
        self._average: ArrayBlockAverage | None = None
        return self

    def learn(self, keys: Any, values: Any) -> Self:
        """Append pairs to the buffer: keys of shape (n, d), values of shape (n, m)."""
        new_keys = np.asarray(to_numpy(as_rows(keys, "keys")), dtype=np.float64)
        new_values = np.asarray(to_numpy(as_rows(values, "values")), dtype=np.float64)
        if self._average is None:
            d, m = new_keys.shape[1], new_values.shape[1]
            self._average = ArrayBlockAverage(
                np.empty((0, d)),
                np.empty((0, m)),
                np.zeros((d, m)),
                buffer_size=self.buffer_size,
                block_size=self.block_size,
                discount=self.discount,
                solver=self.solver,
            )
        self._average = self._average.learn(new_keys, new_values)
        return self

    @property
    def matrix(self) -> FloatArray:
        """Fast weights of everything learned: ndarray of shape (d, m)."""
        if self._average is None:
            raise ValueError("nothing has been learned yet; call learn(keys, values) first")
        return self._average.weights

    def read(self, queries: Any) -> FloatArray:
        """Read queries: array-like of shape (n, d) to ndarray of shape (n, m)."""
        rows = to_numpy(as_rows(queries, "queries"))
        return np.asarray(rows, dtype=np.float64) @ self.matrix
