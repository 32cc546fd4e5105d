"""Memories by name, of any kinds, attached to one backbone that all of them share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.adapters import DEFAULT
from faast.serve.memories.passes import Passes
from faast.serve.problems import RequestError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from faast._utils.arrays import AnyArray
    from faast.lm.checkpoint import MemoryFile

NOTHING = "nothing"
"""Adapter of rows that read no memory of a group; it never learns."""

MEMORY, DRAFT = "memory ", "draft "
"""In front of the names of adapters: of memories as they are read, and while they change."""


@dataclass(frozen=True)
class MemoryFacts:
    """What is known about a memory.

    Attributes
    ----------
    config : MemoryConfig
    tokens : int
        Pairs of a token and its next one that were learned.
    nbytes : int
    state : str
        Hash of what was learned.
    """

    config: MemoryConfig
    tokens: int
    nbytes: int
    state: str


class AttachedMemories:
    """Memories by name over one backbone; memories of the same settings share their hooks.

    A memory changes as a whole, and between the blocks of `reading`, which are short.

    Parameters
    ----------
    base : PreTrainedModel

    Attributes
    ----------
    passes : Passes
        Held by whoever runs the model.
    """

    def __init__(self, base: PreTrainedModel) -> None:
        self.base = base
        self.passes = Passes()
        self._changing = Lock()
        self._models: list[FaastForCausalLM] = []
        self._owners: dict[str, FaastForCausalLM] = {}
        self._learned: dict[str, MemoryFacts] = {}

    def __contains__(self, name: str) -> bool:
        """Return whether there is a memory of this name."""
        return name in self._owners

    def attach(self, name: str, content: MemoryFile) -> None:
        """Attach the memory of a file.

        Raises
        ------
        ModelFileError
            It was learned with another backbone, or is damaged.
        """
        with self._changing:
            model = self._find(content.config, content.readouts)
            if model is None:
                with self.passes.stopped():
                    model = FaastForCausalLM.from_checkpoint(content, self.base)
                    with model.use_adapter(DEFAULT):
                        model.reset()
                self._models.append(model)
            model.add_adapter(MEMORY + name, content)
            with model.use_adapter(MEMORY + name):
                self._solve(model)
            self._own(name, model)

    def create(self, name: str, config: MemoryConfig) -> None:
        """Attach a memory that has learned nothing.

        Raises
        ------
        UnsupportedModelError
            The backbone cannot carry such a memory.
        """
        with self._changing:
            model = self._find(config, None)
            if model is None:
                with self.passes.stopped():
                    model = FaastForCausalLM(self.base, config)
                self._models.append(model)
            self._own(name, model)

    def remove(self, name: str) -> None:
        """Forget a memory; the hooks stay, for they change nothing."""
        with self._changing, self.passes.stopped():
            model = self._owners.pop(name)
            del self._learned[name]
            model.copy_adapter(NOTHING, MEMORY + name)

    @contextmanager
    def reading(self, names: Sequence[str | None]) -> Iterator[None]:
        """Run the model with a memory for each row of a batch, by name; None for none of them.

        No memory changes until the block ends, which is to be soon if `passes` are wanted.

        Raises
        ------
        RequestError
            There is no memory of a name.
        """
        with ExitStack() as stack:
            stack.enter_context(self.passes.running())
            for name in names:
                if name is not None:
                    self.describe(name)
            for model in list(self._models):
                mine = [self._owners.get(name or "") is model for name in names]
                adapters = [
                    f"{MEMORY}{n}" if m else NOTHING for n, m in zip(names, mine, strict=True)
                ]
                stack.enter_context(model.use_adapter(adapters))
            yield

    @contextmanager
    def changing(
        self, name: str, commit: Callable[[MemoryFacts], None] | None = None
    ) -> Iterator[FaastForCausalLM]:
        """Yield a model that learns and forgets for a memory, which changes when the block ends.

        One thread at a time may change a memory, and runs the model within `passes`. After an
        error the memory is as it was.

        Parameters
        ----------
        name : str
        commit : callable, optional
            Given what the memory will be, before anybody reads it. If it raises, nothing changes.
        """
        model, draft = self._owners[name], DRAFT + name
        model.copy_adapter(MEMORY + name, draft)
        try:
            with model.use_adapter(draft):
                yield model
                self._solve(model)
            learned = _describe(model, draft)
            if commit is not None:
                commit(learned)
            with self._changing, self.passes.stopped():
                model.copy_adapter(draft, MEMORY + name)
                self._learned[name] = learned
        finally:
            model.copy_adapter(NOTHING, draft)

    def _solve(self, model: FaastForCausalLM) -> None:
        """Compute what reading needs before anybody asks, so that no answer waits for it."""
        with self.passes.running():
            model.solve()

    def content(self, name: str) -> MemoryFile:
        """Return a memory as a file holds it."""
        return self._owners[name].to_content(MEMORY + name)

    def all(self) -> dict[str, MemoryFacts]:
        """Describe all memories, sorted by name."""
        return dict(sorted(self._learned.items()))

    def describe(self, name: str) -> MemoryFacts:
        """Describe a memory; raises a RequestError if there is none."""
        learned = self._learned.get(name)
        if learned is None:
            raise RequestError(404, f"there is no memory {name!r}, or it was deleted")
        return learned

    def _find(
        self, config: MemoryConfig, readouts: Mapping[str, AnyArray] | None
    ) -> FaastForCausalLM | None:
        """Return the attached model with these settings and readouts, or None if there is none.

        `readouts` is None for untrained ones.
        """
        for model in self._models:
            if model.memory_config != config:
                continue
            ours = {key: part.cpu().numpy() for key, part in model.readouts.state_dict().items()}
            untrained = {key: np.zeros_like(part) for key, part in ours.items()}
            theirs = untrained if readouts is None else readouts
            if ours.keys() == theirs.keys() and all(
                np.array_equal(part, theirs[key]) for key, part in ours.items()
            ):
                return model
        return None

    def _own(self, name: str, model: FaastForCausalLM) -> None:
        """Give a memory its model, and describe it."""
        self._owners[name] = model
        self._learned[name] = _describe(model, MEMORY + name)


def _describe(model: FaastForCausalLM, adapter: str) -> MemoryFacts:
    content = model.to_content(adapter)
    with model.use_adapter(adapter):
        tokens = model.memory_size
    return MemoryFacts(
        model.memory_config,
        tokens,
        content.nbytes,
        content.state_hash,
    )
