"""Weights that accelerate keeps on the CPU or on disk between forward passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn


def fetch_parameter(module: nn.Module, name: str = "weight") -> Tensor:
    """Return a parameter of a module; where it is offloaded, it is loaded for the caller.

    Parameters
    ----------
    module : Module
    name : str
        Of a parameter that is the module's own, not one of its children's.

    Returns
    -------
    Tensor
        On the meta device where nothing holds the numbers.
    """
    parameter = cast("Tensor", getattr(module, name))
    if not parameter.is_meta:
        return parameter.detach()
    from accelerate.utils import align_module_device  # type: ignore[import-untyped]

    with align_module_device(module):
        return cast("Tensor", getattr(module, name)).detach()


def computing_device(module: nn.Module) -> torch.device:
    """Return the device on which a module multiplies by its weight, wherever that is kept."""
    device = cast("Tensor", module.weight).device
    if device.type == "meta":
        hook = getattr(module, "_hf_hook", None)
        return torch.device(getattr(hook, "execution_device", None) or device)
    return device
