"""Middle memories: in front of a block, read through a trained readout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

from faast.lm.bank import BlockAverage, PairBank
from faast.lm.outputs import ForgettingError, Lesson
from faast.moments import Moments

if TYPE_CHECKING:
    from torch import Tensor

    from faast.lm.attachment import Place
    from faast.lm.exact import ExactPairs
    from faast.lm.readout import Readout
    from faast.state import State


@dataclass(frozen=True)
class BankMiddle:
    """The paper's middle memory: h + out_proj(W h), W by block averages.

    Attributes
    ----------
    place : int
        Index of the block in front of which it stands.
    readout : Readout
        Shared by every memory at this place.
    bank : PairBank
        Keys h at t, values the weighed h at t + 1.
    averaging : BlockAverage
    """

    place: Place
    readout: Readout
    bank: PairBank
    averaging: BlockAverage

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
        """Add what the memory says to hidden states (..., d)."""
        return self.readout.read(hidden, self.weights.to(hidden.device)) if self.count else hidden

    def learned(self, lesson: Lesson) -> Self:
        """Append a lesson's pairs to the bank."""
        return replace(self, bank=self.bank.learned(*weighed(self, lesson), self.averaging))

    def forgotten(self, lesson: Lesson) -> Self:
        """Refuse."""
        raise ForgettingError(
            "the paper's block average cannot forget; use exact=True to forget exactly"
        )

    def merged(self, other: Self) -> Self:
        """Refuse."""
        raise ForgettingError(
            "the paper's block average depends on the order of its blocks and cannot be merged; "
            "use exact=True"
        )

    def to_state(self) -> State:
        """Return what a file keeps."""
        return self.bank.to_state()

    def from_state(self, state: State) -> Self:
        """Restore what `to_state` returned."""
        return replace(self, bank=PairBank.from_state(state))


@dataclass(frozen=True)
class ExactMiddle:
    """A middle memory over exact moments; attributes as for `BankMiddle`."""

    place: Place
    readout: Readout
    pairs: ExactPairs

    @property
    def count(self) -> float:
        """Pairs learned."""
        return self.pairs.count

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.pairs.nbytes

    def read(self, hidden: Tensor) -> Tensor:
        """Add what the memory says to hidden states (..., d)."""
        if not self.count:
            return hidden
        return self.readout.read(hidden, self.pairs.weights.to(hidden.device))

    def learned(self, lesson: Lesson) -> Self:
        """Add a lesson's pairs to the moments."""
        return replace(self, pairs=self.pairs.learned(*weighed(self, lesson)))

    def forgotten(self, lesson: Lesson) -> Self:
        """Take a lesson's pairs back."""
        return replace(self, pairs=self.pairs.forgotten(*weighed(self, lesson)))

    def merged(self, other: Self) -> Self:
        """Add everything another memory has learned."""
        return replace(self, pairs=self.pairs.merged(other.pairs))

    def to_state(self) -> State:
        """Return what a file keeps."""
        return self.pairs.moments.to_state()

    def from_state(self, state: State) -> Self:
        """Restore what `to_state` returned."""
        return replace(self, pairs=replace(self.pairs, moments=Moments.from_state(state)))


MiddleMemory = BankMiddle | ExactMiddle


def weighed(memory: MiddleMemory, lesson: Lesson) -> tuple[Tensor, Tensor]:
    """Keys and weighed values of a lesson, both of shape (n, d)."""
    hidden = lesson.states[memory.place]
    keys, values = lesson.pairs.keys(hidden), lesson.pairs.values(hidden)
    return keys, memory.readout.weigh(keys, values)
