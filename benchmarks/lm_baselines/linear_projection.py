"""Linear projections: layers h + P h + b where memories would be, trained by backpropagation.

This is the trained baseline of FAAST (arXiv 2605.04651).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.utils import skip_init

from benchmarks.lm_baselines.base import AdaptedModel
from benchmarks.lm_baselines.training import Training, parameter_bytes
from faast.lm.architecture import evenly_spaced_blocks, find_architecture
from faast.lm.hooks import HEAD, HookPoint, Hooks

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class LinearProjection:
    """Train a linear projection in front of the head, and others in front of blocks.

    Attributes
    ----------
    middle_layers : int
        Number of projections in front of evenly spaced blocks.
    training : Training
    """

    middle_layers: int = 0
    training: Training = field(default_factory=Training)

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> AdaptedModel:
        """Insert the projections, initialised to zero, and train them; see `AdaptationMethod`."""
        architecture = find_architecture(model)
        blocks = evenly_spaced_blocks(len(architecture.blocks), self.middle_layers)
        points: tuple[HookPoint, ...] = (*blocks, HEAD)
        options = {"device": model.device, "dtype": torch.float32}  # small steps vanish in bfloat16
        layers: dict[HookPoint, nn.Module] = {}
        for point in points:
            head_width = architecture.head.weight.shape[1]
            width = head_width if point == HEAD else architecture.hidden_size
            layer = skip_init(nn.Linear, width, width, **options)  # type: ignore[no-untyped-call]
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
            layers[point] = layer

        def project(point: HookPoint, hidden: Tensor) -> Tensor:
            projected: Tensor = layers[point](hidden.float())
            return hidden + projected.to(hidden.dtype)

        Hooks(model, points, project)
        parameters = [weight for layer in layers.values() for weight in layer.parameters()]
        self.training.run(model, parameters, windows)
        return AdaptedModel(model, parameter_bytes(parameters))
