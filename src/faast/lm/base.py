"""Interfaces of memories in a language model: stores of pairs, and memories at a hook point.

All are immutable: `learn`, `forget` and `merge` return a new memory, so after an error the old one
still stands. Learning adds to statistics or takes steps; what reading needs beyond that is computed
once per state, by `HookMemory.solve`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple, Self

from faast.lm.state import LearnedState

if TYPE_CHECKING:
    from torch import Tensor

    from faast.lm.batch import TrainingBatch
    from faast.lm.hooks import HookPoint


class PairStore(LearnedState, ABC):
    """Pairs of keys and values that become fast weights W, with key W close to value."""

    @property
    @abstractmethod
    def count(self) -> float:
        """Pairs learned."""

    @property
    @abstractmethod
    def weights(self) -> Tensor:
        """W, shape (d, m), float32; solved when first asked for."""

    @abstractmethod
    def learn(self, keys: Tensor, values: Tensor) -> Self:
        """Return the store after learning pairs: keys (n, d), values (n, m)."""

    @abstractmethod
    def forget(self, keys: Tensor, values: Tensor) -> Self:
        """Return the store as if pairs had never been learned.

        Raises
        ------
        ForgettingError
            This store cannot forget, or the pairs cannot all have been learned.
        """

    @abstractmethod
    def merge(self, other: Self) -> Self:
        """Return a store that has learned the pairs of both.

        Raises
        ------
        ForgettingError
            Such stores cannot be merged.
        """

    def train(self, mode: bool) -> Self:
        """Return the store in training mode (`mode` True) or in evaluation mode."""
        del mode
        return self


class Shift(NamedTuple):
    """A linear map that a memory adds to the input h of the head: h + h matrix + bias.

    Attributes
    ----------
    matrix : Tensor of shape (d, d), float32
    bias : Tensor of shape (d,), float32
    """

    matrix: Tensor
    bias: Tensor


class LearningPart(LearnedState, ABC):
    """A part of a memory: it learns batches beside others, and rewrites what passes at its point.

    Attributes
    ----------
    point : HookPoint
    """

    point: HookPoint

    @property
    @abstractmethod
    def count(self) -> float:
        """Pairs learned."""

    @abstractmethod
    def solve(self) -> None:
        """Compute what reading needs; free where this state has been solved before."""

    @abstractmethod
    def learn(self, batch: TrainingBatch) -> Self:
        """Return the memory after learning a batch."""

    @abstractmethod
    def forget(self, batch: TrainingBatch) -> Self:
        """Return the memory as if a batch had never been learned.

        Raises
        ------
        ForgettingError
            This memory cannot forget, or has not learned the batch.
        """

    @abstractmethod
    def merge(self, other: Self) -> Self:
        """Return a memory that has learned what both have.

        Raises
        ------
        ForgettingError
            Such memories cannot be merged.
        """

    @abstractmethod
    def head_shift(self) -> Shift | None:
        """Return what the memory adds to the head's input; None if it changes nothing.

        Raises
        ------
        FoldingError
            It is not a linear map of the head's input.
        """

    def train(self, mode: bool) -> Self:
        """Return the memory in training mode (`mode` True) or in evaluation mode."""
        del mode
        return self

    @property
    def online_perplexity(self) -> float:
        """Perplexity of learned tokens before they were learned; NaN where none was measured."""
        return math.nan


class HookMemory(LearningPart):
    """A part that rewrites hidden states."""

    @abstractmethod
    def read(self, hidden: Tensor) -> Tensor:
        """Return hidden states (..., d) rewritten by the memory; an empty one changes nothing."""
