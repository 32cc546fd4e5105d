"""A linear layer h + P h + b in front of the head, trained by backprop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.nn.utils import skip_init

from faast.lm.baselines.base import Adapted, Training, bytes_of

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class LinearProjection:
    """The paper's trained rival: the same place and shape as a natural memory."""

    training: Training = field(default_factory=Training)

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> Adapted:
        """Train the projection; see `Adapter`."""
        head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
        width = head.weight.shape[1]
        like = {"device": head.weight.device, "dtype": head.weight.dtype}
        projection = skip_init(nn.Linear, width, width, **like)  # type: ignore[no-untyped-call]
        nn.init.zeros_(projection.weight)
        nn.init.zeros_(projection.bias)

        def project(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            return (args[0] + projection(args[0]), *args[1:])

        head.register_forward_pre_hook(project)
        parameters = list(projection.parameters())
        self.training.run(model, parameters, windows)
        return Adapted(model, bytes_of(parameters))
