"""The natural output memory: a natural pass over the rows that enter the head."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from faast.core.state import Array
from faast.lm.backbone import check_targets
from faast.lm.base import HookMemory, Shift
from faast.lm.exceptions import FoldingError, ForgettingError
from faast.lm.hooks import HEAD
from faast.lm.key_features import KeyFeatures
from faast.lm.natural import LONGEST_TEXT, NaturalPass
from faast.lm.state import SETTING, checked

if TYPE_CHECKING:
    from faast.lm.backbone import Backbone
    from faast.lm.batch import TrainingBatch


class FinishedPass(NamedTuple):
    """What reading needs of a pass that has been finished on a copy.

    Attributes
    ----------
    weights : Tensor of shape (D, d), float32
        What is added to h is its key times these.
    online_perplexity : float
    """

    weights: Tensor
    online_perplexity: float


@dataclass(frozen=True)
class NaturalOutput(HookMemory):
    """h + k A in front of the head, with keys k = h, [h; 1], or with random features.

    Attributes
    ----------
    natural_pass : NaturalPass
        The pass so far, in whole blocks. Blocks are cut from the stream of rows, not from calls.
    rows, targets, text_shares : Tensor of shape (n, d), float32; (n,), int64; (n,), float32
        The latest rows, which do not fill a block yet, as `NaturalPass.learn` takes them. Reads
        include them.
    backbone : Backbone
    """

    natural_pass: NaturalPass
    rows: Tensor = field(metadata=checked(Array("n", "d", dtypes=("float32",))))
    targets: Tensor = field(metadata=checked(Array("n", dtypes=("int64",), minimum=0)))
    text_shares: Tensor = field(metadata=checked(Array("n", dtypes=("float32",))))
    backbone: Backbone = field(metadata=SETTING)
    point = HEAD

    @classmethod
    def empty(cls, backbone: Backbone, *, random_features: bool = False) -> NaturalOutput:
        """Return a memory that has learned nothing.

        Without random features, keys have a bias where the plain model has a bias to fold it into.
        """
        width, device = backbone.head.weight.shape[1], backbone.device
        features = KeyFeatures(width, device) if random_features else None
        n_keys = features.n_keys if features else width + (backbone.foldable_bias is not None)
        return cls(
            NaturalPass.empty(n_keys, width, device, features),
            torch.empty(0, width, device=device),
            torch.empty(0, dtype=torch.long, device=device),
            torch.empty(0, device=device),
            backbone,
        )

    def validate(self, empty: NaturalOutput) -> None:
        """Raise ValueError where the rows that wait fill a block, or precede no token."""
        if len(self.rows) >= self.natural_pass.next_block():
            raise ValueError(f"{len(self.rows)} rows wait for a block that they would fill")
        check_targets(self.targets, empty.backbone)
        shares = self.text_shares
        if len(shares) and not 1.0 / LONGEST_TEXT - 1e-6 <= shares.min() <= shares.max() <= 1.0:
            raise ValueError(f"text_shares must be from 1/{LONGEST_TEXT} to 1")

    @property
    def count(self) -> float:
        """Pairs learned."""
        return float(self.natural_pass.count + len(self.rows))

    @cached_property
    def finished(self) -> FinishedPass:
        """The pass with the latest rows, as if it ended here; computed when first asked for."""
        waiting = self.rows, self.targets, self.text_shares
        end = self.natural_pass.finish(self.backbone.head, *waiting)
        return FinishedPass(end.weights, end.online_perplexity)

    @property
    def online_perplexity(self) -> float:
        """Perplexity of learned tokens before they were learned; NaN before a second block."""
        return self.finished.online_perplexity

    def solve(self) -> None:
        """Finish the pass on a copy."""
        if self.count:
            _ = self._linear if self.natural_pass.key_features is None else self.finished

    def read(self, hidden: Tensor) -> Tensor:
        """Shift hidden states (..., d) in front of the head, in float32."""
        if not self.count:
            return hidden
        full = hidden.float()
        if self.natural_pass.key_features is not None:
            keys = self.natural_pass.key_features(full)
            return (full + keys @ self.finished.weights.to(hidden.device)).to(hidden.dtype)
        shift, bias = (part.to(hidden.device) for part in self._linear)
        return (full + functional.linear(full, shift, bias)).to(hidden.dtype)

    def learn(self, batch: TrainingBatch) -> NaturalOutput:
        """Return the memory after appending a batch to the stream and learning all full blocks."""
        rows = batch.pairs.keys(batch.states[HEAD]).float()
        shares = 1.0 / batch.pairs.text_lengths.clamp(max=LONGEST_TEXT)
        waiting = self.rows, self.targets, self.text_shares
        stream = [
            torch.cat([part.to(rows.device), fresh.to(rows.device)])
            for part, fresh in zip(waiting, (rows, batch.pairs.targets, shares), strict=True)
        ]
        learned, start = self.natural_pass, 0
        while len(stream[0]) - start >= (size := learned.next_block()):
            block = (part[start : start + size] for part in stream)
            learned = learned.learn(self.backbone.head, *block)
            start += size
        rows, targets, shares = (part[start:].clone() for part in stream)
        return replace(self, natural_pass=learned, rows=rows, targets=targets, text_shares=shares)

    def forget(self, batch: TrainingBatch) -> NaturalOutput:
        """Raise `ForgettingError`: steps of a pass cannot be taken back."""
        raise ForgettingError(
            "a natural memory is one pass in order and cannot forget part of it; reset it, or use "
            'output="pseudoinverse", which forgets exactly'
        )

    def merge(self, other: NaturalOutput) -> NaturalOutput:
        """Return the one that has learned; raise `ForgettingError` where both have."""
        if not other.count:
            return self
        if not self.count:
            return other
        raise ForgettingError(
            "natural memories are passes in order and cannot be merged; learn the second support "
            'with the first memory, or use output="pseudoinverse", which merges exactly'
        )

    def head_shift(self) -> Shift | None:
        """Return A and b, or None if nothing was learned; random features raise `FoldingError`."""
        if not self.count:
            return None
        if self.natural_pass.key_features is not None:
            raise FoldingError(
                "keys with random features are not a linear map of the head's input; learn with "
                "random_features=False to fold"
            )
        return self._shift

    @cached_property
    def _shift(self) -> Shift:
        weights = self.finished.weights
        width = weights.shape[1]
        bias = weights[width] if len(weights) > width else weights.new_zeros(width)
        return Shift(weights[:width], bias)

    @cached_property
    def _linear(self) -> tuple[Tensor, Tensor]:
        """Aᵀ as a linear layer holds it, and b."""
        return self._shift.matrix.T.contiguous(), self._shift.bias
