"""The paper's incremental update: an average of the solutions of separate blocks of rows."""

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
    """The paper's incremental memory, see `faast.solvers.block_average.BlockAverage`.

    On streams sorted by class its accuracy is tens of points below that of `AssociativeMemory`.

    Parameters
    ----------
    solver : Solver, optional
        ``PseudoInverse(alpha=0.8)`` by default. Each block takes its tolerance from its own number
        of pairs.
    buffer_size : int
        Number of pairs from which on the buffer is full.
    block_size : int
        Number of pairs that are solved at a time, at most `buffer_size`.
    discount : float
        Multiplies the count of averaged pairs before each update and each read. The paper uses
        values below 1 in training only.

    Raises
    ------
    ValueError
        If `block_size` is not in 1 to `buffer_size`.
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
        """Forget all pairs."""
        self._average: ArrayBlockAverage | None = None
        return self

    def learn(self, keys: Any, values: Any) -> Self:
        """Append pairs to the buffer, after averaging in what it is too full for.

        Parameters
        ----------
        keys : array-like of shape (n, n_features)
        values : array-like of shape (n, n_outputs)
        """
        new_keys = np.asarray(to_numpy(as_rows(keys, "keys")), dtype=np.float64)
        new_values = np.asarray(to_numpy(as_rows(values, "values")), dtype=np.float64)
        average = self._average or self._empty(new_keys.shape[1], new_values.shape[1])
        self._average = average.learn(new_keys, new_values)
        return self

    @property
    def matrix(self) -> FloatArray:
        """Weights with the buffered pairs averaged in, ndarray of shape (n_features, n_outputs)."""
        if self._average is None:
            raise ValueError("nothing has been learned yet; call learn(keys, values) first")
        return self._average.weights

    def read(self, queries: Any) -> FloatArray:
        """Multiply queries of shape (n, n_features) by the weights: (n, n_outputs), float64."""
        rows = to_numpy(as_rows(queries, "queries"))
        return np.asarray(rows, dtype=np.float64) @ self.matrix

    def _empty(self, n_features: int, n_outputs: int) -> ArrayBlockAverage:
        return ArrayBlockAverage(
            np.empty((0, n_features)),
            np.empty((0, n_outputs)),
            np.zeros((n_features, n_outputs)),
            buffer_size=self.buffer_size,
            block_size=self.block_size,
            discount=self.discount,
            solver=self.solver,
        )
