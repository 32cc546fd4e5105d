"""The tokens of whole sequences while a model generates with a cache."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from functools import wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

METHOD = "prepare_inputs_for_generation"
"""Called by every way to generate, beam search included, with all tokens of each row so far."""

_sequences: ContextVar[Mapping[int, Tensor]] = ContextVar(
    "faast_generated_sequences", default=MappingProxyType({})
)


class GenerationTokens:
    """Notes the sequences that a model is about to continue.

    With a cache, a forward pass is given the newest tokens of each row only.

    Parameters
    ----------
    model : PreTrainedModel
        Its method `METHOD` is wrapped until `remove` is called.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        prepare = getattr(model, METHOD)

        @wraps(prepare)
        def prepare_and_note(input_ids: Tensor, *args: Any, **kwargs: Any) -> Any:
            _sequences.set({**_sequences.get(), id(self): input_ids})
            return prepare(input_ids, *args, **kwargs)

        setattr(model, METHOD, prepare_and_note)

    def remove(self) -> None:
        """Leave the model as it was."""
        unwrap(self._model)

    def take(self, input_ids: Tensor) -> Tensor:
        """Return the sequences that end in the tokens of a forward pass; note them no longer.

        Outside generation they are the tokens of the pass themselves.
        """
        noted = _sequences.get()
        whole = noted.get(id(self))
        if whole is None:
            return input_ids
        _sequences.set({owner: one for owner, one in noted.items() if owner != id(self)})
        length = input_ids.shape[1]
        continued = whole.shape[0] == len(input_ids) and whole.shape[1] >= length
        if continued and torch.equal(whole[:, whole.shape[1] - length :], input_ids):
            return whole
        return input_ids


def unwrap(model: nn.Module) -> None:
    """Give a model, such as a copy of one that has memories, its own method back."""
    model.__dict__.pop(METHOD, None)
