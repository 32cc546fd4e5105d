"""Insert an adapter of the library peft into a model, and train it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from benchmarks.lm_baselines.base import AdaptedModel
from benchmarks.lm_baselines.training import Training, parameter_bytes
from faast._utils.imports import import_optional

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


def import_peft() -> Any:
    """Import peft; raises `ImportError` if it is not installed."""
    return import_optional("peft", "bench")


def train_adapter(
    model: PreTrainedModel, config: Any, training: Training, windows: Tensor
) -> AdaptedModel:
    """Insert an adapter into a model and train it.

    Parameters
    ----------
    model : PreTrainedModel
    config : peft.PeftConfig
        Which adapter to insert.
    training : Training
        Its seed also draws the initial weights of the adapter.
    windows : Tensor of shape (n, length), int64
        Token ids of the text.
    """
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        adapted = import_peft().get_peft_model(model, config).eval()
    parameters = [weight for weight in adapted.parameters() if weight.requires_grad]
    training.run(adapted, parameters, windows)
    return AdaptedModel(adapted, parameter_bytes(parameters))


def linear_memory_size(model: PreTrainedModel) -> int:
    """Return d², the number of parameters of a linear output memory: the others get as many."""
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
    return int(head.weight.shape[1]) ** 2
