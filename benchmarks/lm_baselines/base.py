"""What an adapter is: a way to fit a causal language model to a text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor
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
