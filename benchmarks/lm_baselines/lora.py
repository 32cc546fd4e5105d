"""LoRA (Hu et al. 2021), by peft."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.lm_baselines.peft_tuning import peft_library, projection_size, tuned
from benchmarks.lm_baselines.training import Training

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from benchmarks.lm_baselines.base import Adapted


@dataclass(frozen=True)
class LoRA:
    """Low-rank updates of linear layers.

    Attributes
    ----------
    n_parameters : int, optional
        Aim for this many trained parameters; by default those of a linear output memory, d².
    targets : tuple of str, optional
        Names of the layers; by default those that peft updates in a model of this architecture.
    training : Training
    """

    n_parameters: int | None = None
    targets: tuple[str, ...] | None = None
    training: Training = field(default_factory=lambda: Training((3e-3, 1e-2, 3e-2)))

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> Adapted:
        """Train the updates; see `Adapter`.

        Raises
        ------
        ImportError
            peft is not installed.
        ValueError
            No layers are named, and peft knows none for this architecture.
        """
        wanted = self.n_parameters or projection_size(model)
        targets = self.targets or usual_targets(model)
        layers = [module for name, module in model.named_modules() if name.endswith(targets)]
        per_rank = sum(sum(layer.weight.shape) for layer in layers)
        rank = max(1, wanted // per_rank)
        config = peft_library().LoraConfig(
            r=rank, lora_alpha=2 * rank, target_modules=list(targets), task_type="CAUSAL_LM"
        )
        return tuned(model, config, self.training, windows)


def usual_targets(model: PreTrainedModel) -> tuple[str, ...]:
    """Names of the layers that peft updates by default; raises ValueError where it knows none."""
    architecture = model.config.model_type
    known = peft_library().utils.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
    if not isinstance(names := known.get(architecture), list):
        raise ValueError(
            f"peft names no layers for the architecture {architecture!r}; name them by targets"
        )
    return tuple(names)
