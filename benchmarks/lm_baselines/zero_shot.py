"""The frozen model itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.lm_baselines.base import Adapted

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class ZeroShot:
    """No adaptation."""

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> Adapted:
        """Return the model as it is; see `Adapter`."""
        del windows
        return Adapted(model, 0)
