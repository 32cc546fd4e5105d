"""The natural output memory behind the final norm: blocks cut from the stream of rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from faast.core.persistence import State
from faast.lm.batch import Lesson
from faast.lm.hooks import HEAD
from faast.lm.natural import KeyLift, NaturalState, Shift
from faast.lm.output_memory import ForgettingError

if TYPE_CHECKING:
    from faast.lm.architecture import Backbone

TENSORS = ("iterate", "average", "direction", "newton", "gram", "curvature")
SCALARS = ("step", "count", "last_rows", "online_loss", "online_rows")


@dataclass(frozen=True)
class NaturalOutput:
    """h + h A + b, in front of the output embeddings.

    Attributes
    ----------
    state : NaturalState
        The pass so far, in whole blocks.
    rows, targets : Tensor of shape (n, d) and (n,)
        Rows that wait for their block to fill. Reads include them.
    """

    state: NaturalState
    rows: Tensor
    targets: Tensor
    backbone: Backbone
    place = HEAD

    @classmethod
    def empty(cls, backbone: Backbone, *, lifted: bool = False) -> NaturalOutput:
        """Nothing learned; lifted, or with a bias where the plain model has a place for it."""
        width, device = backbone.head.weight.shape[1], backbone.device
        lift = KeyLift(width, device) if lifted else None
        n_keys = lift.n_keys if lift else width + (backbone.bias_home is not None)
        return cls(
            NaturalState.empty(n_keys, width, device, lift),
            torch.empty(0, width, device=device),
            torch.empty(0, dtype=torch.long, device=device),
            backbone,
        )

    @property
    def count(self) -> float:
        """Pairs learned."""
        return float(self.state.count + len(self.rows))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        held = [getattr(self.state, name) for name in TENSORS]
        return sum(tensor.nbytes for tensor in (*held, self.rows, self.targets))

    @cached_property
    def finished(self) -> NaturalState:
        """The pass as if it ended here."""
        return self.state.finished(self.backbone.head, self.rows, self.targets)

    @cached_property
    def weights(self) -> Tensor:
        """What reads keys, shape (D, d), float32."""
        return self.finished.chosen

    @property
    def lift(self) -> KeyLift | None:
        """Makes the keys, where they are lifted."""
        return self.state.lift

    @cached_property
    def shift(self) -> Shift:
        """What a memory without a lift adds: matrix (d, d) and bias (d,), float32."""
        weights = self.weights
        width = weights.shape[1]
        bias = weights[width] if len(weights) > width else weights.new_zeros(width)
        return Shift(weights[:width], bias)

    def read(self, hidden: Tensor) -> Tensor:
        """Shift what feeds the head; a no-op while the memory is empty."""
        if not self.count:
            return hidden
        full = hidden.float()
        if self.lift is not None:
            return (full + self.lift(full) @ self.weights.to(hidden.device)).to(hidden.dtype)
        matrix, bias = (part.to(hidden.device) for part in self.shift)
        return (full + (full @ matrix + bias)).to(hidden.dtype)

    def learned(self, lesson: Lesson) -> NaturalOutput:
        """Append a lesson's rows to the stream and learn every block that is full."""
        fresh = lesson.pairs.keys(lesson.states[HEAD]).float()
        rows = torch.cat([self.rows.to(fresh.device), fresh])
        targets = torch.cat([self.targets.to(fresh.device), lesson.pairs.targets.to(fresh.device)])
        state, start = self.state, 0
        while len(rows) - start >= (size := state.next_block()):
            block = slice(start, start + size)
            state = state.learned(self.backbone.head, rows[block], targets[block])
            start += size
        return replace(
            self, state=state, rows=rows[start:].clone(), targets=targets[start:].clone()
        )

    def forgotten(self, lesson: Lesson) -> NaturalOutput:
        """Refuse."""
        raise ForgettingError(
            "a natural memory is one pass in order and cannot forget part of it; reset it, or use "
            'output="pseudoinverse", which forgets exactly'
        )

    def merged(self, other: NaturalOutput) -> NaturalOutput:
        """Refuse, unless one of the two is empty."""
        if not other.count:
            return self
        if not self.count:
            return other
        raise ForgettingError(
            "natural memories are passes in order and cannot be merged; learn the second support "
            'with the first memory, or use output="pseudoinverse", which merges exactly'
        )

    def to_state(self) -> State:
        """Return what a file keeps."""
        tensors = {name: getattr(self.state, name) for name in TENSORS}
        tensors |= {"rows": self.rows, "targets": self.targets}
        scalars = {name: getattr(self.state, name) for name in SCALARS}
        return State(
            {name: tensor.cpu().numpy() for name, tensor in tensors.items()},
            {**scalars, "scores": list(self.state.scores)},
        )

    def from_state(self, state: State) -> NaturalOutput:
        """Restore what `to_state` returned."""
        device = self.backbone.device
        tensors = {n: torch.from_numpy(array).to(device) for n, array in state.tensors.items()}
        rows, targets = tensors.pop("rows"), tensors.pop("targets")
        scalars: dict[str, Any] = {name: state.metadata[name] for name in SCALARS}
        scalars["scores"] = tuple(state.metadata["scores"])
        learned = NaturalState(**{**tensors, **scalars}, lift=self.lift)
        if learned.iterate.shape != self.state.iterate.shape:
            raise ValueError(
                f"the memory has weights of shape {tuple(learned.iterate.shape)}, this backbone "
                f"needs {tuple(self.state.iterate.shape)}"
            )
        return replace(self, state=learned, rows=rows, targets=targets)
