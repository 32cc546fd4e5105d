"""What the adapters that peft builds have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from benchmarks.lm_baselines.base import Adapted
from benchmarks.lm_baselines.training import Training, bytes_of
from faast._utils.imports import import_optional

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


def peft_library() -> Any:
    """Return the module peft; raises ImportError where it is not installed."""
    return import_optional("peft", "bench")


def tuned(model: PreTrainedModel, config: Any, training: Training, windows: Tensor) -> Adapted:
    """Put peft's adapter into a model and train it.

    Parameters
    ----------
    model : PreTrainedModel
    config : peft.PeftConfig
    training : Training
        Its seed is also that of the adapter's initial weights.
    windows : Tensor of shape (n, length)
    """
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        adapted = peft_library().get_peft_model(model, config).eval()
    parameters = [weight for weight in adapted.parameters() if weight.requires_grad]
    training.run(adapted, parameters, windows)
    return Adapted(adapted, bytes_of(parameters))


def projection_size(model: PreTrainedModel) -> int:
    """Parameters of a linear output memory, d²: what the others are given too."""
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    return int(head.weight.shape[1]) ** 2
