"""Linear projections: layers h + P h + b where memories would be, trained by backpropagation.

This is the trained baseline of FAAST (arXiv 2605.04651).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.lm_baselines.base import AdaptedModel
from benchmarks.lm_baselines.training import Training, parameter_bytes
from torch import nn
from torch.nn.utils import skip_init

from faast.lm.architecture import dissect, middle_places
from faast.lm.hooks import HEAD, Attachment, Place

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
        anatomy = dissect(model)
        places: tuple[Place, ...] = (*middle_places(len(anatomy.blocks), self.middle_layers), HEAD)
        options = {"device": model.device, "dtype": model.dtype}
        layers: dict[Place, nn.Module] = {}
        for place in places:
            width = anatomy.head.weight.shape[1] if place == HEAD else anatomy.hidden_size
            layer = skip_init(nn.Linear, width, width, **options)  # type: ignore[no-untyped-call]
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
            layers[place] = layer

        def project(place: Place, hidden: Tensor) -> Tensor:
            projected: Tensor = layers[place](hidden)
            return hidden + projected

        Attachment(anatomy, places, project)
        parameters = [weight for layer in layers.values() for weight in layer.parameters()]
        self.training.run(model, parameters, windows)
        return AdaptedModel(model, parameter_bytes(parameters))
