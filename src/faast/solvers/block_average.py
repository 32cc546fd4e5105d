"""The paper's incremental update: average the weights of blocks, each solved on its own.

FAAST, arXiv 2605.04651, Eq. 14. It works on numpy arrays and on torch tensors; a subclass
defines how one block is solved and how rows are concatenated.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, Protocol, Self, TypeVar


class Matrix(Protocol):
    """The operations that numpy arrays and torch tensors must support here."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...

    def __mul__(self, factor: Any, /) -> Any: ...


M = TypeVar("M", bound=Matrix)


@dataclass(frozen=True)
class BlockAverage(ABC, Generic[M]):
    """A buffer of the latest pairs, and the average weights of the blocks that left it.

    Before new pairs are appended, while the buffer holds `buffer_size` pairs or more, its oldest
    `block_size` pairs are solved on their own and folded in:

        W0 ← W0 · N0 / (N0 + n) + W_block · n / (N0 + n),    N0 ← N0 + n.

    `weights` folds in the whole buffer the same way, on a copy. The average is not the joint
    solution: it depends on the order of the pairs and on how they were batched, and pairs cannot be
    removed from it.

    Attributes
    ----------
    keys : array of shape (n, d)
    values : array of shape (n, m)
        The pairs in the buffer.
    folded : array of shape (d, m)
        W0, the average weights of the blocks that left the buffer.
    folded_count : float
        N0, the number of pairs in these blocks.
    buffer_size, block_size : int
    discount : float
        Factor on N0 before every update and every read; 1 except in training.
    """

    keys: M
    values: M
    folded: M
    folded_count: float = 0.0
    buffer_size: int = 65_536
    block_size: int = 8_192
    discount: float = 1.0

    @property
    def count(self) -> float:
        """Number of pairs learned; folded pairs count less if they were discounted."""
        return self.folded_count + len(self.keys)

    @cached_property
    def weights(self) -> M:
        """Fast weights of everything learned, shape (d, m)."""
        return self._fold(self.keys, self.values)[0]

    def learn(self, keys: M, values: M) -> Self:
        """Return the memory after learning pairs: keys (n, d), values (n, m)."""
        full = self
        while len(full.keys) >= full.buffer_size:
            block, rest = slice(None, full.block_size), slice(full.block_size, None)
            folded, count = full._fold(full.keys[block], full.values[block])
            full = replace(
                full,
                keys=full.keys[rest],
                values=full.values[rest],
                folded=folded,
                folded_count=count,
            )
        return replace(
            full,
            keys=self.concatenate(full.keys, keys),
            values=self.concatenate(full.values, values),
        )

    @abstractmethod
    def solve_block(self, keys: M, values: M) -> M:
        """Return the weights (d, m) of one block by itself: keys (n, d), values (n, m)."""

    @abstractmethod
    def concatenate(self, first: M, second: M) -> M:
        """Return the rows of `first` followed by those of `second`."""

    def _fold(self, keys: M, values: M) -> tuple[M, float]:
        """Return W0 and N0 after one more block."""
        if not len(keys):
            return self.folded, self.folded_count
        before = self.folded_count * self.discount
        after = before + len(keys)
        solved = self.solve_block(keys, values)
        averaged: M = self.folded * (before / after) + solved * (len(keys) / after)
        return averaged, after
