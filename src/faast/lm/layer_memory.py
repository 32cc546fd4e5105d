"""Layer memories: in front of a block, read through a trained readout."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from faast.lm.base import HookMemory, PairStore, Shift
from faast.lm.exceptions import FoldingError
from faast.lm.hooks import HookPoint
from faast.lm.state import SETTING

if TYPE_CHECKING:
    from faast.lm.batch import TrainingBatch


class Readout(nn.Module):
    """The trained part of a layer memory: it weighs values and projects what is read.

    Parameters
    ----------
    hidden_size : int
        d.
    dropout : float
        On the projected read, while training.

    Notes
    -----
    FAAST (arXiv 2605.04651): values are multiplied by sigmoid(scorer([key; value])), and reads are
    h + out_proj(h W). `out_proj` starts at zero, so that an untrained readout changes nothing.
    """

    def __init__(self, hidden_size: int, dropout: float) -> None:
        super().__init__()
        # random initial weights would draw from the global generator
        self.scorer = skip_init(nn.Linear, 2 * hidden_size, 1, bias=False)  # type: ignore[no-untyped-call]
        self.out_proj = skip_init(nn.Linear, hidden_size, hidden_size, bias=False)  # type: ignore[no-untyped-call]
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.scorer.weight)
        nn.init.zeros_(self.out_proj.weight)

    def weigh(self, keys: Tensor, values: Tensor) -> Tensor:
        """Multiply values (n, d) by how much their pairs matter."""
        size = keys.shape[-1]
        weight = self.scorer.weight[0]
        # the two halves of the scorer apart, so that [key; value] is never built
        scores = keys.to(weight.dtype) @ weight[:size] + values.to(weight.dtype) @ weight[size:]
        weights: Tensor = scores.sigmoid().to(values.dtype)
        return values * weights[:, None]

    def read(self, hidden: Tensor, weights: Tensor) -> Tensor:
        """Add the projected read to hidden states (..., d), with fast weights (d, d)."""
        read = self.out_proj((hidden.to(weights.dtype) @ weights).to(self.out_proj.weight.dtype))
        dropped: Tensor = self.dropout(read)
        return hidden + dropped.to(hidden.dtype)


@dataclass(frozen=True)
class LayerMemory(HookMemory):
    """h + out_proj(h W) in front of a block.

    Attributes
    ----------
    pairs : PairStore
        Keys are hidden states at t, values the weighed hidden states at t + 1.
    point : int
        Index of the block.
    readout : Readout
        Shared by all memories in front of this block.
    """

    pairs: PairStore
    point: HookPoint = field(metadata=SETTING)
    readout: Readout = field(metadata=SETTING)

    @property
    def count(self) -> float:
        """Pairs learned."""
        return self.pairs.count

    def solve(self) -> None:
        """Solve W."""
        if self.count:
            _ = self.pairs.weights

    def read(self, hidden: Tensor) -> Tensor:
        """Add what the memory reads to hidden states (..., d)."""
        if not self.count:
            return hidden
        return self.readout.read(hidden, self.pairs.weights.to(hidden.device))

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
        return replace(self, pairs=self.pairs.train(mode))

    def head_shift(self) -> Shift | None:
        """Return None if the memory changes nothing; raise `FoldingError` otherwise."""
        if not self.count or not bool(self.readout.out_proj.weight.any()):
            return None
        raise FoldingError(
            "a layer memory stands in front of further blocks and cannot be merged into the head; "
            "only output memories can be folded"
        )

    def _keys_and_values(self, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
        hidden = batch.states[self.point]
        keys, values = batch.pairs.keys(hidden), batch.pairs.values(hidden)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.readout.training):
            return keys, self.readout.weigh(keys, values)
