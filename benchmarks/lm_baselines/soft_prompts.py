"""Prompt tuning (Lester et al. 2021) and prefix tuning (Li and Liang 2021), by peft."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

from benchmarks.lm_baselines.peft_tuning import peft_library, projection_size, tuned
from benchmarks.lm_baselines.training import Training

from faast.lm.architecture import find_architecture

if TYPE_CHECKING:
    from benchmarks.lm_baselines.base import Adapted
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class PromptTuning:
    """Input embeddings in front of the text are trained.

    Attributes
    ----------
    n_parameters : int, optional
        Aim for this many, by default those of a linear output memory, d²; fewer where the model's
        positions hold fewer.
    training : Training
    """

    n_parameters: int | None = None
    training: Training = field(default_factory=lambda: Training((1e-2, 3e-2, 1e-1)))

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> Adapted:
        """Train the embeddings; see `Adapter`. Raises ImportError without peft."""
        wanted = self.n_parameters or projection_size(model)
        length = fitting(
            model, windows, wanted // find_architecture(model).embeddings.weight.shape[1]
        )
        config = peft_library().PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=length)
        adapted = tuned(model, config, self.training, windows)

        def forward(input_ids: Tensor) -> SimpleNamespace:
            return SimpleNamespace(logits=adapted.model(input_ids=input_ids).logits[:, length:])

        return replace(adapted, model=forward)


@dataclass(frozen=True)
class PrefixTuning:
    """Keys and values in front of the text are trained, in every block.

    Attributes
    ----------
    n_parameters, training
        As for `PromptTuning`.
    """

    n_parameters: int | None = None
    training: Training = field(default_factory=lambda: Training((1e-2, 3e-2, 1e-1)))

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> Adapted:
        """Train the keys and values; see `Adapter`. Raises ImportError without peft."""
        wanted = self.n_parameters or projection_size(model)
        config = model.config
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = config.hidden_size // config.num_attention_heads * heads
        length = fitting(model, windows, wanted // (2 * config.num_hidden_layers * width))
        prefix = peft_library().PrefixTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=length,
            num_attention_heads=heads,
            token_dim=width,
        )
        return tuned(model, prefix, self.training, windows)


def fitting(model: PreTrainedModel, windows: Tensor, wanted: int) -> int:
    """Return how many of `wanted` positions are left beside a window, at least one."""
    positions = find_architecture(model).n_positions
    room = wanted if positions is None else positions - windows.shape[1]
    return max(1, min(wanted, room))
