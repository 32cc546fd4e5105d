"""LoRA on the attention projections (Hu et al. 2021), by peft."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from faast.lm.baselines.base import Adapted, Training, bytes_of
from faast.optional import require

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class LoRA:
    """Low-rank updates of linear layers.

    Attributes
    ----------
    n_parameters : int, optional
        Aim for this many trained parameters; by default those of a linear projection, d².
    targets : tuple of str
        Names of the layers.
    """

    n_parameters: int | None = None
    targets: tuple[str, ...] = ("q_proj", "v_proj")
    training: Training = field(default_factory=lambda: Training(learning_rate=1e-2))

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> Adapted:
        """Train the updates; see `Adapter`. Raises ImportError without peft."""
        peft = require("peft", "bench")
        wanted = self.n_parameters or model.config.hidden_size**2
        layers = [module for name, module in model.named_modules() if name.endswith(self.targets)]
        per_rank = sum(sum(layer.weight.shape) for layer in layers)
        rank = max(1, wanted // per_rank)
        config = peft.LoraConfig(
            r=rank, lora_alpha=2 * rank, target_modules=list(self.targets), task_type="CAUSAL_LM"
        )
        with torch.random.fork_rng():
            torch.manual_seed(self.training.seed)
            adapted = peft.get_peft_model(model, config)
        parameters = [p for p in adapted.parameters() if p.requires_grad]
        self.training.run(adapted, parameters, windows)
        return Adapted(adapted.eval(), bytes_of(parameters))
