"""The interface of all methods that adapt a causal language model to a text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class AdaptedModel:
    """A model after adaptation.

    Attributes
    ----------
    model : callable
        ``model(input_ids=...)`` returns an object with ``logits`` of shape (n, length, vocabulary).
    extra_bytes : int
        Bytes held in addition to the original model.
    """

    model: Callable[..., Any]
    extra_bytes: int


class AdaptationMethod(Protocol):
    """A callable that adapts a model to a text."""

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> AdaptedModel:
        """Adapt a model.

        Parameters
        ----------
        model : PreTrainedModel
            May be changed in place.
        windows : Tensor of shape (n, length), int64
            Token ids of the text to adapt to.
        """
