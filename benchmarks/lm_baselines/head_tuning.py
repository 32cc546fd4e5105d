"""Head tuning: train the output embeddings by backpropagation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import nn

from benchmarks.lm_baselines.base import AdaptedModel
from benchmarks.lm_baselines.training import Training, parameter_bytes

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class HeadTuning:
    """Train the whole matrix of output embeddings; input embeddings tied to it stay frozen.

    Attributes
    ----------
    training : Training
    """

    training: Training = field(default_factory=lambda: Training((3e-4, 1e-3, 3e-3)))

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> AdaptedModel:
        """Train the output embeddings in place; see `AdaptationMethod`."""
        head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
        head.weight = nn.Parameter(head.weight.detach().clone())
        self.training.run(model, [head.weight], windows)
        return AdaptedModel(model, parameter_bytes([head.weight]))
