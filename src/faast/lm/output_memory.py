"""Output memories: what they share, and the paper's pseudo-inverse over a bank."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Self

import torch
from torch import Tensor

from faast.lm.batch import Lesson
from faast.lm.hooks import LAST, Place
from faast.lm.paper_memory import BlockAverage, PairBank

if TYPE_CHECKING:
    from faast.core.persistence import State
    from faast.lm.architecture import Backbone


class ForgettingError(ValueError):
    """A memory that cannot take rows back or be merged exactly."""


class OutputMemory(Protocol):
    """A memory behind the last block; learning returns a new one."""

    @property
    def place(self) -> Place:
        """Where it reads."""

    @property
    def count(self) -> float:
        """Pairs learned."""

    @property
    def nbytes(self) -> int:
        """Bytes held to read and to go on learning."""

    def read(self, hidden: Tensor) -> Tensor:
        """Rewrite hidden states (..., d)."""

    def learned(self, lesson: Lesson) -> Self:
        """Learn a lesson."""

    def forgotten(self, lesson: Lesson) -> Self:
        """Forget a lesson."""

    def merged(self, other: Self) -> Self:
        """Learn everything another memory has learned."""

    def to_state(self) -> State:
        """Return what a file keeps."""

    def from_state(self, state: State) -> Self:
        """Restore what `to_state` returned, with this memory's settings."""


@dataclass(frozen=True)
class BankOutput:
    """The paper's output memory: h (1 - r) + (h W) r before the final norm.

    Attributes
    ----------
    bank : PairBank
        Keys h at t, values the input embeddings of token t + 1.
    averaging : BlockAverage
    interpolation : float
        r.
    """

    bank: PairBank
    averaging: BlockAverage
    interpolation: float
    backbone: Backbone
    place = LAST

    @property
    def count(self) -> float:
        """Pairs learned."""
        return self.bank.count

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.bank.nbytes

    @cached_property
    def weights(self) -> Tensor:
        """W, shape (d, d)."""
        return self.bank.solved(self.averaging)

    def read(self, hidden: Tensor) -> Tensor:
        """Interpolate hidden states with what the memory says; a no-op while it is empty."""
        return interpolated(hidden, self.weights, self.interpolation) if self.count else hidden

    def learned(self, lesson: Lesson) -> BankOutput:
        """Append a lesson's pairs to the bank."""
        keys = lesson.pairs.keys(lesson.states[LAST])
        values = self.backbone.token_values(lesson.pairs.targets)
        return replace(self, bank=self.bank.learned(keys, values.to(keys.device), self.averaging))

    def forgotten(self, lesson: Lesson) -> BankOutput:
        """Refuse."""
        raise ForgettingError(
            "the paper's block average cannot forget; use exact=True to forget exactly"
        )

    def merged(self, other: BankOutput) -> BankOutput:
        """Refuse."""
        raise ForgettingError(
            "the paper's block average depends on the order of its blocks and cannot be merged; "
            "use exact=True"
        )

    def to_state(self) -> State:
        """Return what a file keeps."""
        return self.bank.to_state()

    def from_state(self, state: State) -> BankOutput:
        """Restore what `to_state` returned."""
        return replace(self, bank=PairBank.from_state(state))


def interpolated(hidden: Tensor, weights: Tensor, interpolation: float) -> Tensor:
    """Return h (1 - r) + (h W) r in float32, cast back."""
    full = hidden.to(weights.dtype)
    with torch.autocast(full.device.type, enabled=False):
        return torch.lerp(full, full @ weights.to(full.device), interpolation).to(hidden.dtype)
