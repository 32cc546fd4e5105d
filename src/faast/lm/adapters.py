"""The named memories of a model, and which of them the rows of a batch use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from faast._utils.locks import lock_of
from faast.lm.batch import Names, TrainingBatch, row_owners
from faast.lm.inference_mode import outside_inference_mode

if TYPE_CHECKING:
    from torch import Tensor

    from faast.core.state import State
    from faast.lm.hooks import HookPoint
    from faast.lm.memory import Memory

DEFAULT = "default"

_passes: ContextVar[Mapping[int, Mapping[str, Memory]]] = ContextVar(
    "faast_memories_of_passes", default=MappingProxyType({})
)
"""What the forward passes of this thread read, by `Adapters`."""

_active: ContextVar[Mapping[int, Names]] = ContextVar(
    "faast_active_adapters", default=MappingProxyType({})
)


class Adapters:
    """Memories by name, over one model.

    Which names are active is a matter of each thread and ``with`` block (`use`). All memories are
    replaced with one assignment, so that an error leaves them as they were. Threads that change
    memories follow one another; others may go on reading, each forward pass one state of them.

    Parameters
    ----------
    make_empty : callable
        Returns a memory that has learned nothing.
    """

    def __init__(self, make_empty: Callable[[], Memory]) -> None:
        self._make_empty = make_empty
        self._memories: dict[str, Memory] = {}

    def __getitem__(self, name: str) -> Memory:
        """Return a memory by its name: an empty one where nothing has been learned."""
        return self._memories.get(name) or self._make_empty()

    @property
    def names(self) -> list[str]:
        """Names of the memories that have learned something, sorted."""
        return sorted(name for name, memory in self._memories.items() if memory.count)

    @property
    def active(self) -> Names:
        """What this thread currently uses: one name for all rows of a batch, or one per row."""
        return _active.get().get(id(self), (DEFAULT,))

    @property
    def only(self) -> Memory:
        """The one active memory.

        Raises
        ------
        ValueError
            Several are active.
        """
        if len(self.active) != 1:
            raise ValueError(
                f"this takes one adapter, but {len(self.active)} are in use: {self.active}"
            )
        return self[self.active[0]]

    @contextmanager
    def use(self, name: str | Sequence[str]) -> Iterator[None]:
        """Use one name, or one per row, in this thread until the block ends.

        Raises
        ------
        ValueError
            There is no name, or one is empty or no text.
        """
        names = (name,) if isinstance(name, str) or not isinstance(name, Sequence) else tuple(name)
        if not names or not all(_is_name(one) for one in names):
            raise ValueError(
                f"expected an adapter's name, or one per row of the batch, got {name!r}"
            )
        token = _active.set({**_active.get(), id(self): names})
        try:
            yield
        finally:
            _active.reset(token)

    # -- what has been learned -------------------------------------------------------------------

    @property
    def count(self) -> float:
        """Pairs that the active memories have learned."""
        return sum(self[name].count for name in set(self.active))

    @property
    def nbytes(self) -> int:
        """Bytes of the active memories."""
        return sum(self[name].nbytes for name in set(self.active))

    def learn(self, batch: TrainingBatch) -> None:
        """Let each active memory learn its rows of a batch."""
        parts = batch.split(self.active)
        self._change(lambda: {name: self[name].learn(part) for name, part in parts.items()})

    def forget(self, batch: TrainingBatch) -> None:
        """Let each active memory forget its rows of a batch; raises `ForgettingError`."""
        parts = batch.split(self.active)
        self._change(lambda: {name: self[name].forget(part) for name, part in parts.items()})

    def merge(self, other: Adapters) -> None:
        """Learn what the memories of the same names have learned; raises `ForgettingError`."""
        theirs = other._memories
        self._change(lambda: {name: self[name].merge(part) for name, part in theirs.items()})

    def reset(self) -> None:
        """Forget everything that the active memories have learned."""
        with lock_of(self):
            kept = self._memories.keys() - set(self.active)
            self._memories = {name: self._memories[name] for name in sorted(kept)}

    def copy(self, name: str, to: str) -> None:
        """Make one memory a copy of another, replacing what it held; both share their tensors."""
        self.put(to, self._memories.get(name))

    def train(self, mode: bool) -> None:
        """Switch all memories to training mode, or to evaluation mode."""
        self._change(lambda: {name: part.train(mode) for name, part in self._memories.items()})

    def _change(self, make: Callable[[], dict[str, Memory]]) -> None:
        """Compute new memories and commit them with one assignment; threads wait for each other."""
        with lock_of(self):
            self._memories = self._memories | make()

    # -- reading ---------------------------------------------------------------------------------

    def begin_pass(self) -> None:
        """Let this thread read the memories as they are now, until `end_pass`."""
        _passes.set({**_passes.get(), id(self): self._memories})
        self.solve()

    def end_pass(self) -> None:
        """Let this thread read what other threads have learned meanwhile."""
        _passes.set({key: read for key, read in _passes.get().items() if key != id(self)})

    @property
    def _readable(self) -> Mapping[str, Memory]:
        return _passes.get().get(id(self), self._memories)

    @outside_inference_mode
    def solve(self) -> None:
        """Compute what reading the active memories needs; free where nothing has changed."""
        memories = self._readable
        for name in dict.fromkeys(self.active):
            if name in memories and not memories[name].is_solved:
                with self.use(name):
                    memories[name].solve()

    def read(self, point: HookPoint, hidden: Tensor) -> Tensor:
        """Let each row of hidden states (rows, ..., d) read its memory, if it has learned.

        Raises
        ------
        ValueError
            The number of rows is not a multiple of the number of active names.
        """
        return self._by_row(hidden, lambda memory, rows: memory.read(point, hidden[rows]))

    def read_logits(self, logits: Tensor, contexts: Tensor) -> Tensor:
        """Let each row of logits (rows, ..., vocabulary) read its memory; errors as for `read`."""
        return self._by_row(
            logits, lambda memory, rows: memory.read_logits(logits[rows], contexts[rows])
        )

    def _by_row(self, given: Tensor, read: Callable[[Memory, slice], Tensor]) -> Tensor:
        """Let neighbouring rows of one memory read it together."""
        names, memories = self.active, self._readable
        if len(set(names)) == 1:
            known = memories.get(names[0])
            return given if known is None else read(known, slice(None))
        parts, start = [], 0
        for name, run in groupby(row_owners(names, len(given))):
            rows = slice(start, start := start + len(list(run)))
            parts.append(read(memories[name], rows) if name in memories else given[rows])
        return torch.cat(parts)

    # -- files -----------------------------------------------------------------------------------

    def to_states(self) -> dict[str, State]:
        """Return what each memory has learned as a file holds it."""
        return {name: memory.to_state() for name, memory in self._memories.items()}

    def from_states(self, states: Mapping[str, State]) -> dict[str, Memory]:
        """Return the memories that `to_states` described.

        Raises
        ------
        KeyError, ValueError
            A memory is incomplete, or does not fit this model.
        """
        return {name: self._make_empty().from_state(state) for name, state in states.items()}

    def replace(self, memories: dict[str, Memory]) -> None:
        """Replace all memories by others."""
        with lock_of(self):
            self._memories = memories

    def put(self, name: str, memory: Memory | None) -> None:
        """Set a name to a memory, replacing what it held; None removes the name."""
        with lock_of(self):
            others = {key: part for key, part in self._memories.items() if key != name}
            self._memories = others if memory is None else others | {name: memory}


def _is_name(given: object) -> bool:
    return isinstance(given, str) and given != ""
