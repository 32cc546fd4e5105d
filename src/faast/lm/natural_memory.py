"""The natural output memory: a natural pass over the rows that enter the head."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor
from torch.nn import functional

from faast.lm.backbone import check_targets
from faast.lm.base import HookMemory, Shift
from faast.lm.exceptions import FoldingError, ForgettingError
from faast.lm.head_rows import HeadRows
from faast.lm.hooks import HEAD
from faast.lm.key_features import KeyFeatures
from faast.lm.natural import NaturalPass
from faast.lm.state import SETTING

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
    rows : HeadRows
        The latest rows, which do not fill a block yet. Reads include them.
    backbone : Backbone
    """

    natural_pass: NaturalPass
    rows: HeadRows
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
            HeadRows.empty(width, device),
            backbone,
        )

    def validate(self, empty: NaturalOutput) -> None:
        """Raise ValueError where the rows that wait fill a block, or precede no token."""
        if len(self.rows) >= self.natural_pass.next_block():
            raise ValueError(f"{len(self.rows)} rows wait for a block that they would fill")
        check_targets(self.rows.targets, empty.backbone)

    @property
    def count(self) -> float:
        """Pairs learned."""
        return float(self.natural_pass.count + len(self.rows))

    @cached_property
    def finished(self) -> FinishedPass:
        """The pass with the latest rows, as if it ended here; computed when first asked for."""
        end = self.natural_pass.finish(self.backbone.head, self.rows)
        return FinishedPass(end.weights, end.online_perplexity)

    @property
    def online_perplexity(self) -> float:
        """Perplexity of learned tokens before they were learned; NaN until two are learned."""
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
        rows, learned = self.rows.followed_by(HeadRows.from_batch(batch)), self.natural_pass
        while len(rows) >= (size := learned.next_block()):
            learned, rows = learned.learn(self.backbone.head, rows[:size]), rows[size:]
        return replace(self, natural_pass=learned, rows=rows.clone())

    def forget(self, batch: TrainingBatch) -> NaturalOutput:
        """Raise `ForgettingError`: steps of a pass cannot be taken back."""
        raise ForgettingError(
            "a natural memory cannot forget a part of what it learned; reset it, or learn with "
            "MemoryConfig(output=None, recall=True) or MemoryConfig('pseudoinverse'), which can"
        )

    def merge(self, other: NaturalOutput) -> NaturalOutput:
        """Return the one that has learned; raise `ForgettingError` where both have."""
        if not other.count:
            return self
        if not self.count:
            return other
        raise ForgettingError(
            "natural memories cannot be merged; let one model learn both texts, or learn with "
            "MemoryConfig(output=None, recall=True) or MemoryConfig('pseudoinverse'), which merge"
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
