"""Zero-shot: the original model, without adaptation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.lm_baselines.base import AdaptedModel

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class ZeroShot:
    """Leave the model as it is."""

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> AdaptedModel:
        """Return the model unchanged; see `AdaptationMethod`."""
        del windows
        return AdaptedModel(model, 0)
