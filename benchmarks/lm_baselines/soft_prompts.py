"""Prompt tuning (Lester et al. 2021) and prefix tuning (Li and Liang 2021), from peft."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

from benchmarks.lm_baselines.peft_tuning import import_peft, linear_memory_size, train_adapter
from benchmarks.lm_baselines.training import Training
from faast.lm.architecture import find_architecture

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from benchmarks.lm_baselines.base import AdaptedModel


@dataclass(frozen=True)
class PromptTuning:
    """Train embeddings of virtual tokens in front of the input.

    Attributes
    ----------
    n_parameters : int, optional
        Largest number of parameters to train, from which the number of virtual tokens follows: at
        least one, and no more than the model has positions beside a window. By default the size of
        a linear output memory, d².
    training : Training
    """

    n_parameters: int | None = None
    training: Training = field(default_factory=lambda: Training((1e-2, 3e-2, 1e-1)))

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> AdaptedModel:
        """Insert the virtual tokens and train them; see `AdaptationMethod`.

        Raises
        ------
        ImportError
            If peft is not installed.
        """
        n_parameters = self.n_parameters or linear_memory_size(model)
        width = find_architecture(model).embeddings.weight.shape[1]
        length = fit_length(model, windows, n_parameters // width)
        config = import_peft().PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=length)
        adapted = train_adapter(model, config, self.training, windows)

        def forward(input_ids: Tensor) -> SimpleNamespace:
            return SimpleNamespace(logits=adapted.model(input_ids=input_ids).logits[:, length:])

        return replace(adapted, model=forward)


@dataclass(frozen=True)
class PrefixTuning:
    """Train attention keys and values of virtual tokens in front of the input, in every block.

    Attributes
    ----------
    n_parameters, training
        As in `PromptTuning`.
    """

    n_parameters: int | None = None
    training: Training = field(default_factory=lambda: Training((1e-2, 3e-2, 1e-1)))

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> AdaptedModel:
        """Insert the virtual tokens and train them; see `AdaptationMethod`.

        Raises
        ------
        ImportError
            If peft is not installed.
        """
        n_parameters = self.n_parameters or linear_memory_size(model)
        config = model.config
        n_heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = config.hidden_size // config.num_attention_heads * n_heads
        parameters_per_token = 2 * config.num_hidden_layers * width  # a key and a value per block
        length = fit_length(model, windows, n_parameters // parameters_per_token)
        prefix = import_peft().PrefixTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=length,
            num_attention_heads=n_heads,
            token_dim=width,
        )
        return train_adapter(model, prefix, self.training, windows)


def fit_length(model: PreTrainedModel, windows: Tensor, wanted: int) -> int:
    """Limit a number of virtual tokens to the positions beside a window, and to at least one."""
    n_positions = find_architecture(model).n_positions
    room = wanted if n_positions is None else n_positions - windows.shape[1]
    return max(1, min(wanted, room))
