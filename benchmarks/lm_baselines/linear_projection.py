"""Linear layers h + P h + b where memories would stand, trained by backprop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.lm_baselines.base import Adapted
from benchmarks.lm_baselines.training import Training, bytes_of
from torch import nn
from torch.nn.utils import skip_init

from faast.lm.architecture import evenly_spaced_blocks, find_architecture
from faast.lm.hooks import HEAD, HookPoint, Hooks

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class LinearProjection:
    """The paper's trained rival: layers where memories stand, of the same shape.

    Attributes
    ----------
    middle_layers : int
        Layers in front of evenly spaced blocks, beside the one in front of the head.
    training : Training
    """

    middle_layers: int = 0
    training: Training = field(default_factory=Training)

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> Adapted:
        """Train the projections; see `Adapter`."""
        architecture = find_architecture(model)
        blocks = evenly_spaced_blocks(len(architecture.blocks), self.middle_layers)
        points: tuple[HookPoint, ...] = (*blocks, HEAD)
        like = {"device": model.device, "dtype": model.dtype}
        layers: dict[HookPoint, nn.Module] = {}
        for point in points:
            head, d = architecture.head, architecture.hidden_size
            width = head.weight.shape[1] if point == HEAD else d
            layer = skip_init(nn.Linear, width, width, **like)  # type: ignore[no-untyped-call]
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
            layers[point] = layer

        def project(point: HookPoint, hidden: Tensor) -> Tensor:
            projected: Tensor = layers[point](hidden)
            return hidden + projected

        Hooks(model, points, project)
        parameters = [weight for layer in layers.values() for weight in layer.parameters()]
        self.training.run(model, parameters, windows)
        return Adapted(model, bytes_of(parameters))
