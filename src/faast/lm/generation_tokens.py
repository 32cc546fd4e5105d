"""The tokens of whole sequences while a model generates with a cache."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
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

    With a cache, a forward pass is given the newest tokens of each row only. An object stands in
    for the model's method `METHOD`, so that a copy of the model has one of its own. Where several
    memories are attached to a model, each one's object calls the one before.

    Parameters
    ----------
    model : PreTrainedModel
        Its method `METHOD` is replaced until `remove` is called.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._before: Any = model.__dict__.get(METHOD)
        setattr(model, METHOD, self)

    def __call__(self, input_ids: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Note the sequences, and prepare inputs as the model does."""
        _sequences.set({**_sequences.get(), id(self): input_ids})
        return self._prepare(input_ids, *args, **kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        """That of the model's method, which transformers looks at."""
        return inspect.signature(self._prepare)

    @property
    def _prepare(self) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(type(self._model), METHOD)
        return self._before or method.__get__(self._model)

    def remove(self) -> None:
        """Leave the model as it was, with the objects of other memories."""
        last = self._model.__dict__.get(METHOD)
        if last is not self:
            while isinstance(last, GenerationTokens):
                before = last._before
                last._before = self._before if before is self else before
                last = before
        elif self._before is None:
            unwrap(self._model)
        else:
            setattr(self._model, METHOD, self._before)

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
