"""Output memories that interpolate hidden states with what a pseudo-inverse reads."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar

import torch
from torch import Tensor

from faast.lm.base import HookMemory, PairStore, Shift
from faast.lm.exceptions import FoldingError
from faast.lm.hooks import LAST
from faast.lm.state import SETTING

if TYPE_CHECKING:
    from faast.lm.backbone import Backbone
    from faast.lm.batch import TrainingBatch

P = TypeVar("P", bound=PairStore)


class Solution(NamedTuple):
    """What an output memory reads with.

    Attributes
    ----------
    weights : Tensor of shape (d, d), float32
        W.
    interpolation : float
        Share r of what is read.
    """

    weights: Tensor
    interpolation: float


@dataclass(frozen=True)
class PseudoInverseOutput(HookMemory, Generic[P]):
    """h (1 - r) + (h W) r behind the last block, before the final norm.

    Attributes
    ----------
    pairs : PairStore
        Keys are hidden states h at t, values the input embeddings of token t + 1.
    backbone : Backbone
    """

    pairs: P
    backbone: Backbone = field(metadata=SETTING)
    point = LAST

    @property
    @abstractmethod
    def solution(self) -> Solution:
        """W and r; solved when first asked for."""

    @property
    def count(self) -> float:
        """Pairs learned."""
        return self.pairs.count

    def solve(self) -> None:
        """Solve W and r."""
        if self.count:
            _ = self.solution

    def read(self, hidden: Tensor) -> Tensor:
        """Interpolate hidden states (..., d) with what the memory reads, in float32."""
        if not self.count or not self.solution.interpolation:
            return hidden
        weights, share = self.solution
        full = hidden.to(weights.dtype)
        with torch.autocast(full.device.type, enabled=False):
            return torch.lerp(full, full @ weights.to(full.device), share).to(hidden.dtype)

    def learn(self, batch: TrainingBatch) -> Self:
        """Return the memory after learning a batch."""
        return replace(self, pairs=self.pairs.learn(*self._keys_and_values(batch)))

    def forget(self, batch: TrainingBatch) -> Self:
        """Return the memory as if a batch had never been learned."""
        return replace(self, pairs=self.pairs.forget(*self._keys_and_values(batch)))

    def merge(self, other: Self) -> Self:
        """Return a memory that has learned what both have."""
        return replace(self, pairs=self.pairs.merge(other.pairs))

    def train(self, mode: bool) -> Self:
        """Return the memory in training mode (`mode` True) or in evaluation mode."""
        pairs = self.pairs.train(mode)
        return self if pairs is self.pairs else replace(self, pairs=pairs)

    def head_shift(self) -> Shift | None:
        """Return None if nothing was learned; raise `FoldingError` otherwise."""
        if not self.count:
            return None
        raise FoldingError(
            "a pseudo-inverse reads before the final norm, which is not linear; only memories of "
            'MemoryConfig(output="natural"), on the command line --memory natural, can be folded'
        )

    def _keys_and_values(self, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
        keys = batch.pairs.keys(batch.states[LAST])
        return keys, self.backbone.embed(batch.pairs.targets).to(keys.device)
