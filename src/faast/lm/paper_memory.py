"""The paper's memory: a buffer of pairs, averaged block by block, and its output memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from faast.core.state import Array, Range
from faast.lm.base import PairStore
from faast.lm.config import PAPER_INTERPOLATION
from faast.lm.exceptions import ForgettingError
from faast.lm.output_memory import PseudoInverseOutput, Solution
from faast.lm.state import LARGEST_COUNT, SETTING, checked
from faast.solvers import PseudoInverse
from faast.solvers.block_average import BlockAverage
from faast.solvers.pseudo_inverse import PAPER_ALPHA

if TYPE_CHECKING:
    from faast.lm.backbone import Backbone
    from faast.lm.config import MemoryConfig


@dataclass(frozen=True)
class PairBuffer(BlockAverage[Tensor], PairStore):
    """Block average over float32 tensors; gradients flow through the latest values alone.

    Attributes
    ----------
    alpha : float
        rtol = n**-alpha, with n the pairs of the block being solved. While readouts are trained it
        is the rounding error of float32 instead.
    training_discount : float
        The discount while readouts are trained; 1 otherwise.
    training : bool
    """

    keys: Tensor = field(metadata=checked(Array("n", "d", dtypes=("float32",))))
    values: Tensor = field(metadata=checked(Array("n", "m", dtypes=("float32",))))
    folded: Tensor = field(metadata=checked(Array("d", "m", dtypes=("float32",))))
    folded_count: float = field(default=0.0, metadata=checked(Range(0.0, LARGEST_COUNT)))
    buffer_size: int = field(default=65_536, metadata=SETTING)
    block_size: int = field(default=8_192, metadata=SETTING)
    discount: float = field(default=1.0, metadata=SETTING)
    alpha: float = field(default=PAPER_ALPHA, metadata=SETTING)
    training_discount: float = field(default=1.0, metadata=SETTING)
    training: bool = field(default=False, metadata=SETTING)

    @classmethod
    def empty(cls, n_features: int, n_values: int, config: MemoryConfig) -> PairBuffer:
        """Return a buffer that has learned nothing."""
        return cls(
            torch.empty(0, n_features),
            torch.empty(0, n_values),
            torch.zeros(n_features, n_values),
            buffer_size=config.buffer_size,
            block_size=config.block_size,
            alpha=config.alpha or PAPER_ALPHA,
            training_discount=config.discount,
        )

    def validate(self, empty: PairBuffer) -> None:
        """Raise ValueError where an average of no blocks is not zero."""
        del empty
        if not self.folded_count and bool(self.folded.any()):
            raise ValueError("the average of no blocks must be zero")

    def learn(self, keys: Tensor, values: Tensor) -> Self:
        """Fold full blocks, then append pairs, on their device; earlier values lose gradients."""
        device = keys.device
        held = replace(
            self,
            keys=self.keys.to(device),
            values=self.values.detach().to(device),
            folded=self.folded.to(device),
        )
        return super(PairBuffer, held).learn(keys.float(), values.float())

    def forget(self, keys: Tensor, values: Tensor) -> Self:
        """Raise `ForgettingError`: pairs cannot be taken out of an average of blocks."""
        raise ForgettingError(
            "the paper's block average cannot forget; use MemoryConfig(..., exact=True), which "
            "forgets exactly"
        )

    def merge(self, other: Self) -> Self:
        """Raise `ForgettingError`: the average depends on the order of its blocks."""
        raise ForgettingError(
            "the paper's block average depends on the order of its blocks and cannot be merged; "
            "use MemoryConfig(..., exact=True), which merges exactly"
        )

    def train(self, mode: bool) -> Self:
        """Return the buffer in training mode (`mode` True) or in evaluation mode."""
        if mode == self.training:
            return self
        return replace(self, training=mode, discount=self.training_discount if mode else 1.0)

    def solve_block(self, keys: Tensor, values: Tensor) -> Tensor:
        """Return pinv(keys) values, shape (d, m)."""
        if self.training:
            rounding = torch.finfo(torch.float32).eps
            solver = PseudoInverse(rtol=max(keys.shape) * rounding)
        else:
            solver = PseudoInverse(self.alpha)
        inverse = pseudo_inverse(keys.detach(), solver).to(values.dtype)
        with torch.autocast(keys.device.type, enabled=False):
            return inverse @ values

    def concatenate(self, first: Tensor, second: Tensor) -> Tensor:
        """Append rows to rows."""
        return torch.cat([first, second])


def pseudo_inverse(keys: Tensor, solver: PseudoInverse) -> Tensor:
    """Return the filtered pseudo-inverse of keys (n, d): shape (d, n), float64, on their device.

    Notes
    -----
    It is computed from the second moments of the smaller side, K⁺ = (KᵀK)⁺ Kᵀ = Kᵀ (KKᵀ)⁺: exact to
    about 1e-16 · condition², far below the rounding of float32 hidden states.
    """
    n, d = keys.shape
    exact = keys.double()
    wide = n < d
    gram = exact @ exact.T if wide else exact.T @ exact
    eigenvalues, basis = torch.linalg.eigh(gram)
    positive = eigenvalues[eigenvalues > 0.0].flip(0).cpu().numpy()
    first = len(eigenvalues) - solver.count_kept(positive, n)
    basis = basis[:, first:]
    inverse: Tensor = (basis / eigenvalues[first:]) @ basis.T
    return exact.T @ inverse if wide else inverse @ exact.T


@dataclass(frozen=True)
class PaperOutput(PseudoInverseOutput[PairBuffer]):
    """The paper's output memory.

    Attributes
    ----------
    interpolation : float
        r.
    """

    interpolation: float = field(default=PAPER_INTERPOLATION, metadata=SETTING)

    @classmethod
    def empty(cls, backbone: Backbone, config: MemoryConfig) -> PaperOutput:
        """Return a memory that has learned nothing."""
        d = backbone.hidden_size
        share = PAPER_INTERPOLATION if config.interpolation is None else config.interpolation
        return cls(PairBuffer.empty(d, d, config), backbone, share)

    @property
    def solution(self) -> Solution:
        """W and r."""
        return Solution(self.pairs.weights, self.interpolation)
