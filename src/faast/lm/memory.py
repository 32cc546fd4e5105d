"""One named memory: its parts at every place, learned and read together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from faast.core.persistence import State
from faast.lm.adapters import Names, rows_by_name
from faast.lm.architecture import grid_scale
from faast.lm.batch import Lesson
from faast.lm.config import PAPER_ALPHA, PAPER_INTERPOLATION, MemoryConfig
from faast.lm.exact_memory import ExactOutput, ExactPairs, HeldOut
from faast.lm.hooks import HEAD, LAST, Place
from faast.lm.layer_memory import BankMiddle, ExactMiddle, MiddleMemory
from faast.lm.natural_memory import NaturalOutput
from faast.lm.output_memory import BankOutput, OutputMemory
from faast.lm.paper_memory import BlockAverage, PairBank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from faast._utils.arrays import FloatArray
    from faast.lm.architecture import Backbone
    from faast.lm.layer_memory import Readout


@dataclass(frozen=True)
class NamedMemory:
    """Middle memories and an output memory that learned the same rows.

    Attributes
    ----------
    middle : tuple of MiddleMemory
    output : OutputMemory or None
    """

    middle: tuple[MiddleMemory, ...]
    output: OutputMemory | None

    @classmethod
    def empty(
        cls,
        backbone: Backbone,
        config: MemoryConfig,
        readouts: dict[Place, Readout],
        scales: dict[Place, FloatArray],
    ) -> NamedMemory:
        """Nothing learned.

        Parameters
        ----------
        backbone : Backbone
        config : MemoryConfig
        readouts : dict of Place to Readout
            One a middle memory.
        scales : dict of Place to ndarray of shape (d,)
            Of the grid that exact moments are kept on.
        """
        d, alpha = backbone.hidden_size, config.alpha or PAPER_ALPHA
        middle: list[MiddleMemory] = []
        for place, readout in readouts.items():
            if config.exact:
                pairs = ExactPairs.empty(alpha, scales[place], scales[place])
                middle.append(ExactMiddle(place, readout, pairs))
            else:
                bank = PairBank.empty(d, d)
                middle.append(BankMiddle(place, readout, bank, averaging(config, training=False)))
        return cls(tuple(middle), _empty_output(backbone, config, scales))

    @property
    def parts(self) -> Iterator[MiddleMemory | OutputMemory]:
        """Every memory, in the order of the blocks."""
        yield from self.middle
        if self.output is not None:
            yield self.output

    @property
    def count(self) -> float:
        """Pairs learned."""
        return next(part.count for part in self.parts)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(part.nbytes for part in self.parts)

    def read(self, place: Place, hidden: Tensor) -> Tensor:
        """Rewrite hidden states (..., d) at a place."""
        for part in self.parts:
            if part.place == place:
                hidden = part.read(hidden)
        return hidden

    def learned(self, lesson: Lesson) -> NamedMemory:
        """Learn a lesson everywhere."""
        return self._each(lambda part: part.learned(lesson))

    def forgotten(self, lesson: Lesson) -> NamedMemory:
        """Forget a lesson everywhere; raises `ForgettingError` where that cannot be exact."""
        return self._each(lambda part: part.forgotten(lesson))

    def merged(self, other: NamedMemory) -> NamedMemory:
        """Learn everything another memory has learned."""
        theirs = iter(other.parts)
        return self._each(lambda part: part.merged(next(theirs)))

    def averaged_by(self, average: BlockAverage) -> NamedMemory:
        """Solve banks by another average, as while readouts are trained."""
        banks = (BankMiddle, BankOutput)
        return self._each(
            lambda part: replace(part, averaging=average) if isinstance(part, banks) else part
        )

    def to_state(self) -> State:
        """Return what a file keeps."""
        return State.join({str(part.place): part.to_state() for part in self.parts})

    def from_state(self, state: State) -> NamedMemory:
        """Restore what `to_state` returned into this memory's settings."""
        return self._each(lambda part: part.from_state(state.part(str(part.place))))

    def _each(self, change: Callable[[Any], Any]) -> NamedMemory:
        middle = tuple(change(part) for part in self.middle)
        return NamedMemory(middle, None if self.output is None else change(self.output))


def read_by_row(
    memories: Mapping[str, NamedMemory], names: Names, place: Place, hidden: Tensor
) -> Tensor:
    """Let every row of a batch (rows, ..., d) read its own memory; unknown names read none."""
    if len(set(names)) == 1:
        known = memories.get(names[0])
        return hidden if known is None else known.read(place, hidden)
    out = hidden.clone()
    for name, rows in rows_by_name(names, len(hidden)).items():
        if name in memories:
            out[rows] = memories[name].read(place, hidden[rows])
    return out


def averaging(config: MemoryConfig, *, training: bool) -> BlockAverage:
    """Return the paper's average, as it is while readouts are trained or not."""
    return BlockAverage(
        None if training else config.alpha or PAPER_ALPHA,
        config.bank_size,
        config.block_size,
        config.discount if training else 1.0,
    )


def places(config: MemoryConfig, middle: tuple[Place, ...]) -> tuple[Place, ...]:
    """Return every place that learning needs to see."""
    if config.output is None:
        return middle
    if config.output == "natural":
        return (*middle, HEAD)
    return (*middle, LAST, HEAD) if config.exact else (*middle, LAST)


def _empty_output(
    backbone: Backbone, config: MemoryConfig, scales: dict[Place, FloatArray]
) -> OutputMemory | None:
    d = backbone.hidden_size
    if config.output is None:
        return None
    if config.output == "natural":
        return NaturalOutput.empty(backbone, lifted=config.lift)
    if config.exact:
        values = backbone.token_values(backbone.probe_tokens()[0])
        pairs = ExactPairs.empty(PAPER_ALPHA, scales[LAST], grid_scale(values))
        return ExactOutput(pairs, HeldOut(), backbone, config.alpha, config.interpolation)
    share = PAPER_INTERPOLATION if config.interpolation is None else config.interpolation
    average = averaging(config, training=False)
    return BankOutput(PairBank.empty(d, d), average, share, backbone)
