"""Tuning of the whole output embeddings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import nn

from benchmarks.lm_baselines.base import Adapted
from benchmarks.lm_baselines.training import Training, bytes_of

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class HeadTuning:
    """Every output embedding is trained, apart from the input embeddings."""

    training: Training = field(default_factory=lambda: Training((3e-4, 1e-3, 3e-3)))

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> Adapted:
        """Train the head; see `Adapter`."""
        head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
        head.weight = nn.Parameter(head.weight.detach().clone())
        self.training.run(model, [head.weight], windows)
        return Adapted(model, bytes_of([head.weight]))
