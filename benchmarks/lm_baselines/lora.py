"""LoRA (Hu et al. 2021), from the library peft."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.lm_baselines.peft_tuning import import_peft, linear_memory_size, train_adapter
from benchmarks.lm_baselines.training import Training

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from benchmarks.lm_baselines.base import AdaptedModel


@dataclass(frozen=True)
class LoRA:
    """Train low-rank updates of linear layers.

    Attributes
    ----------
    n_parameters : int, optional
        Largest number of parameters to train, from which the rank follows (at least 1) where it is
        not given. By default the size of a linear output memory, d².
    targets : tuple of str, optional
        Names of the layers to update. By default those that peft lists for the architecture.
    training : Training
    rank : int, optional
    """

    n_parameters: int | None = None
    targets: tuple[str, ...] | None = None
    training: Training = field(default_factory=lambda: Training((3e-3, 1e-2, 3e-2)))
    rank: int | None = None

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> AdaptedModel:
        """Insert the updates and train them; see `AdaptationMethod`.

        Raises
        ------
        ImportError
            If peft is not installed.
        ValueError
            If no targets are given, and peft lists none for the architecture.
        """
        n_parameters = self.n_parameters or linear_memory_size(model)
        targets = self.targets or default_targets(model)
        layers = [module for name, module in model.named_modules() if name.endswith(targets)]
        parameters_per_rank = sum(sum(layer.weight.shape) for layer in layers)
        rank = self.rank or max(1, n_parameters // parameters_per_rank)
        config = import_peft().LoraConfig(
            r=rank, lora_alpha=2 * rank, target_modules=list(targets), task_type="CAUSAL_LM"
        )
        return train_adapter(model, config, self.training, windows)


def default_targets(model: PreTrainedModel) -> tuple[str, ...]:
    """Return the names of the layers that peft updates by default in this architecture.

    Raises
    ------
    ImportError
        If peft is not installed.
    ValueError
        If peft lists no layers for the architecture.
    """
    architecture = model.config.model_type
    known = import_peft().utils.TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
    if not isinstance(names := known.get(architecture), list):
        raise ValueError(
            f"peft names no layers for the architecture {architecture!r}; name them by targets"
        )
    return tuple(names)
