"""Keep tensors of memories usable by autograd, also where they are made in torch.inference_mode."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def outside_inference_mode(method: Callable[P, R]) -> Callable[P, R]:
    """Run a method under torch.no_grad where the caller is in inference mode.

    Tensors made in inference mode cannot take part in autograd later, and memories are kept.
    """

    @wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        if not torch.is_inference_mode_enabled():
            return method(*args, **kwargs)
        with torch.inference_mode(False), torch.no_grad():
            return method(*args, **kwargs)

    return wrapper
