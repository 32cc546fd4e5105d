"""What an adapter is, and the training loop that the trained ones share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Adapted:
    """An adapted model.

    Attributes
    ----------
    model : callable
        ``model(input_ids=...)`` has ``logits``.
    extra_bytes : int
        What it holds beside the model it was made from.
    """

    model: Callable[..., Any]
    extra_bytes: int


class Adapter(Protocol):
    """A way to adapt a model to a text."""

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> Adapted:
        """Adapt.

        Parameters
        ----------
        model : PreTrainedModel
            Its own copy; it may be changed.
        windows : Tensor of shape (n, length)
            Token ids of the text.
        """


@dataclass(frozen=True)
class Training:
    """Adam over shuffled windows, the learning rate falling linearly to zero.

    Attributes
    ----------
    epochs : int
    learning_rate : float
    batch_size : int
        Windows a step.
    seed : int
        Of the shuffling.
    """

    epochs: int = 3
    learning_rate: float = 3e-3
    batch_size: int = 4
    seed: int = 0

    def run(self, model: nn.Module, parameters: list[nn.Parameter], windows: Tensor) -> None:
        """Minimise the next-token loss over `parameters` alone."""
        model.requires_grad_(False)
        for parameter in parameters:
            parameter.requires_grad_()
        steps = self.epochs * -(-len(windows) // self.batch_size)
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.epochs):
            order = torch.randperm(len(windows), generator=generator)
            for start in range(0, len(windows), self.batch_size):
                batch = windows[order[start : start + self.batch_size]]
                loss = model(input_ids=batch, labels=batch).loss
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
        model.requires_grad_(False)


def bytes_of(parameters: list[nn.Parameter]) -> int:
    """Bytes of parameters."""
    return sum(parameter.nbytes for parameter in parameters)
