"""One named memory of a model: its memories at every hook point, learned and read together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from faast.core.state import State
from faast.lm.architecture import grid_scale
from faast.lm.base import HookMemory, LearningPart, PairStore, Shift
from faast.lm.config import MemoryConfig
from faast.lm.exact_memory import ExactOutput, ExactPairs
from faast.lm.hooks import HEAD, LAST, LOGITS, HookPoint
from faast.lm.layer_memory import LayerMemory, Readout
from faast.lm.natural_memory import NaturalOutput
from faast.lm.paper_memory import PairBuffer, PaperOutput
from faast.lm.recall_memory import RecallMemory
from faast.solvers.pseudo_inverse import PAPER_ALPHA

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from faast._utils.arrays import FloatArray
    from faast.lm.backbone import Backbone
    from faast.lm.batch import TrainingBatch


@dataclass(frozen=True)
class Memory:
    """Layer memories, an output memory and a recall memory that learn the same batches.

    Attributes
    ----------
    parts : tuple of LearningPart
        In the order in which a forward pass reads them.
    """

    parts: tuple[LearningPart, ...]

    @classmethod
    def empty(
        cls,
        backbone: Backbone,
        config: MemoryConfig,
        readouts: Mapping[int, Readout],
        scales: Mapping[HookPoint, FloatArray],
    ) -> Memory:
        """Return a memory that has learned nothing.

        Parameters
        ----------
        backbone : Backbone
        config : MemoryConfig
        readouts : mapping of int to Readout
            One for every layer memory, by the index of its block.
        scales : mapping of HookPoint to ndarray of shape (d,)
            Scales of the grid for exact sums.
        """
        d = backbone.hidden_size
        parts: list[LearningPart] = []
        for point, readout in readouts.items():
            pairs: PairStore
            if config.exact:
                scale = scales[point]
                pairs = ExactPairs.empty(scale, scale, config.alpha or PAPER_ALPHA)
            else:
                pairs = PairBuffer.empty(d, d, config)
            parts.append(LayerMemory(pairs, point, readout))
        if config.output == "natural":
            parts.append(NaturalOutput.empty(backbone, random_features=config.random_features))
        elif config.output == "pseudoinverse" and config.exact:
            value_scale = grid_scale(backbone.embed(backbone.probe_tokens()[0]))
            parts.append(ExactOutput.empty(backbone, config, scales[LAST], value_scale))
        elif config.output == "pseudoinverse":
            parts.append(PaperOutput.empty(backbone, config))
        if config.recall:
            parts.append(RecallMemory.empty(backbone))
        return cls(tuple(parts))

    @property
    def count(self) -> float:
        """Pairs learned."""
        return self.parts[0].count

    @property
    def nbytes(self) -> int:
        """Bytes of everything learned."""
        return sum(part.nbytes for part in self.parts)

    @property
    def online_perplexity(self) -> float:
        """Perplexity of learned tokens before they were learned; NaN where none was measured."""
        measured = (part.online_perplexity for part in reversed(self.parts))
        return next((value for value in measured if not math.isnan(value)), math.nan)

    def solve(self) -> None:
        """Compute what reading needs; free where this state has been solved before."""
        _ = self._solution

    @property
    def is_solved(self) -> bool:
        """Whether what reading needs has been computed."""
        return "_solution" in vars(self)

    @cached_property
    def _solution(self) -> None:
        for part in self.parts:
            part.solve()

    def read(self, point: HookPoint, hidden: Tensor) -> Tensor:
        """Rewrite hidden states (..., d) at a hook point."""
        for part in self.parts:
            if isinstance(part, HookMemory) and part.point == point:
                hidden = part.read(hidden)
        return hidden

    @property
    def recall(self) -> RecallMemory | None:
        """The recall memory, if there is one."""
        return next((part for part in self.parts if isinstance(part, RecallMemory)), None)

    def read_logits(self, logits: Tensor, contexts: Tensor) -> Tensor:
        """Rewrite logits (..., vocabulary) that follow contexts (..., k)."""
        return logits if self.recall is None else self.recall.read(logits, contexts)

    def learn(self, batch: TrainingBatch) -> Memory:
        """Return the memory after learning a batch."""
        return self._each(lambda part: part.learn(batch))

    def forget(self, batch: TrainingBatch) -> Memory:
        """Return the memory as if a batch had never been learned; raises `ForgettingError`."""
        return self._each(lambda part: part.forget(batch))

    def merge(self, other: Memory) -> Memory:
        """Return a memory that has learned what both have; raises `ForgettingError`."""
        theirs = iter(other.parts)
        return self._each(lambda part: part.merge(next(theirs)))

    def head_shift(self) -> Shift | None:
        """Return what the memory adds to the head's input; None if it changes nothing.

        Raises
        ------
        FoldingError
            One of its parts is not a linear map of the head's input.
        """
        return [part.head_shift() for part in self.parts][-1]

    def train(self, mode: bool) -> Memory:
        """Return the memory in training mode (`mode` True) or in evaluation mode."""
        return self._each(lambda part: part.train(mode))

    def to_state(self) -> State:
        """Return what was learned as a file holds it."""
        return State.join({str(part.point): part.to_state() for part in self.parts})

    def from_state(self, state: State) -> Memory:
        """Return what `to_state` described, with the settings of this empty memory.

        Raises
        ------
        KeyError, ValueError
            A part is missing or does not fit this model, or parts have learned other pairs.
        """
        found = self._each(lambda part: part.from_state(state.part(str(part.point))))
        counts = [part.count for part in found.parts]
        if not math.isclose(min(counts), max(counts)):
            raise ValueError(f"memories of one model have learned {counts} pairs")
        return found

    def _each(self, change: Callable[[Any], LearningPart]) -> Memory:
        return Memory(tuple(change(part) for part in self.parts))


def hook_points(config: MemoryConfig, layers: tuple[HookPoint, ...]) -> tuple[HookPoint, ...]:
    """Return every point whose hidden states memories of these settings learn from or rewrite."""
    outputs: tuple[HookPoint, ...] = ()
    if config.output == "natural":
        outputs = (HEAD,)
    elif config.output == "pseudoinverse":
        outputs = (LAST, HEAD) if config.exact else (LAST,)
    return (*layers, *outputs, *([LOGITS] if config.recall else []))
