"""Middle memories: in front of a block, read through a trained readout.

Readouts: the trained part of a middle memory (paper mode).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

from torch import Tensor, nn
from torch.nn.utils import skip_init

from faast.core.moments import Moments
from faast.lm.batch import Lesson
from faast.lm.output_memory import ForgettingError
from faast.lm.paper_memory import BlockAverage, PairBank

if TYPE_CHECKING:
    from torch import Tensor

    from faast.core.persistence import State
    from faast.lm.exact_memory import ExactPairs
    from faast.lm.hooks import Place


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


class Readout(nn.Module):
    """Weighs the values of a middle memory and projects what is read from it.

    Parameters
    ----------
    hidden_size : int
        d.
    dropout : float
        On the projected read, while training.

    Notes
    -----
    FAAST (arXiv 2605.04651): values are multiplied by sigmoid(scorer([key; value])), reads are
    h + out_proj(W h). `out_proj` starts at zero, so that an untrained readout changes nothing.
    """

    def __init__(self, hidden_size: int, dropout: float) -> None:
        super().__init__()
        # not initialised at random: that would draw from the global generator
        self.scorer = skip_init(nn.Linear, 2 * hidden_size, 1, bias=False)  # type: ignore[no-untyped-call]
        self.out_proj = skip_init(nn.Linear, hidden_size, hidden_size, bias=False)  # type: ignore[no-untyped-call]
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.scorer.weight)
        nn.init.zeros_(self.out_proj.weight)

    def weigh(self, keys: Tensor, values: Tensor) -> Tensor:
        """Weigh values (n, d) by how much their pairs matter."""
        size = keys.shape[-1]
        weight = self.scorer.weight[0]
        # the two halves apart, so that [key; value] is never built
        scores = keys.to(weight.dtype) @ weight[:size] + values.to(weight.dtype) @ weight[size:]
        weights: Tensor = scores.sigmoid().to(values.dtype)
        return values * weights[:, None]

    def read(self, hidden: Tensor, weights: Tensor) -> Tensor:
        """Add the projected read to hidden states (..., d), with weights (d, d)."""
        read = self.out_proj((hidden.to(weights.dtype) @ weights).to(self.out_proj.weight.dtype))
        dropped: Tensor = self.dropout(read)
        return hidden + dropped.to(hidden.dtype)
