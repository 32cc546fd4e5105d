"""LoRA (Hu et al. 2021), by peft."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from faast.lm.baselines.peft_tuning import peft_library, projection_size, tuned
from faast.lm.baselines.training import Training

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from faast.lm.baselines.base import Adapted


@dataclass(frozen=True)
class LoRA:
    """Low-rank updates of linear layers.

    Attributes
    ----------
    n_parameters : int, optional
        Aim for this many trained parameters; by default those of a linear output memory, d².
    targets : tuple of str
        Names of the layers.
    training : Training
    """

    n_parameters: int | None = None
    targets: tuple[str, ...] = ("q_proj", "v_proj")
    training: Training = field(default_factory=lambda: Training((3e-3, 1e-2, 3e-2)))

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> Adapted:
        """Train the updates; see `Adapter`. Raises ImportError without peft."""
        wanted = self.n_parameters or projection_size(model)
        layers = [module for name, module in model.named_modules() if name.endswith(self.targets)]
        per_rank = sum(sum(layer.weight.shape) for layer in layers)
        rank = max(1, wanted // per_rank)
        config = peft_library().LoraConfig(
            r=rank, lora_alpha=2 * rank, target_modules=list(self.targets), task_type="CAUSAL_LM"
        )
        return tuned(model, config, self.training, windows)
