"""Linear layers h + P h + b at the places of memories, trained by backprop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from torch import nn
from torch.nn.utils import skip_init

from benchmarks.lm_baselines.base import Adapted
from benchmarks.lm_baselines.training import Training, bytes_of
from faast.lm.architecture import dissect, middle_places
from faast.lm.hooks import HEAD, Attachment, Place

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class LinearProjection:
    """The paper's trained rival: the places and shapes of memories.

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
        anatomy = dissect(model)
        places: tuple[Place, ...] = (*middle_places(len(anatomy.blocks), self.middle_layers), HEAD)
        like = {"device": model.device, "dtype": model.dtype}
        layers: dict[Place, nn.Module] = {}
        for place in places:
            width = anatomy.head.weight.shape[1] if place == HEAD else anatomy.hidden_size
            layer = skip_init(nn.Linear, width, width, **like)  # type: ignore[no-untyped-call]
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
            layers[place] = layer

        def project(place: Place, hidden: Tensor) -> Tensor:
            projected: Tensor = layers[place](hidden)
            return hidden + projected

        Attachment(anatomy, places, project)
        parameters = [weight for layer in layers.values() for weight in layer.parameters()]
        self.training.run(model, parameters, windows)
        return Adapted(model, bytes_of(parameters))
