"""Hooks that let memories record and rewrite the stream of hidden states, and leave no trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

    from faast.lm.architecture import Anatomy

HEAD = "head"
"""Behind the final norm: what the output embeddings see."""
LAST = "last"
"""Behind the last block, before the final norm."""

Place = int | str
"""A block's index (in front of it), `LAST` or `HEAD`."""
Reader = Callable[[Place, Tensor], Tensor]
"""Rewrites hidden states of shape (batch, length, d)."""
Recording = dict[Place, Tensor]

_recordings: ContextVar[Mapping[int, Recording]] = ContextVar(
    "faast_recordings", default=MappingProxyType({})
)


class _HeadReached(Exception):  # noqa: N818 - a signal, no error
    """Stops a forward pass in front of the output embeddings."""


class Attachment:
    """Hooks at chosen places of a decoder.

    Outside `record` every hidden state at a place passes through `reader`. Inside, states are
    collected and left untouched. What a thread records, no other thread sees.

    Parameters
    ----------
    anatomy : Anatomy
    places : tuple of Place
    reader : callable
    """

    def __init__(self, anatomy: Anatomy, places: tuple[Place, ...], reader: Reader) -> None:
        self.places = places
        self.reader = reader
        self._handles: list[RemovableHandle] = []
        for place in places:
            if place == HEAD:
                handle = anatomy.head.register_forward_pre_hook(self._before_head, with_kwargs=True)
            elif place == LAST:
                handle = anatomy.blocks[-1].register_forward_hook(self._after_last)
            else:
                before = _BeforeBlock(self, place)
                block = anatomy.blocks[int(place)]
                handle = block.register_forward_pre_hook(before, with_kwargs=True)
            self._handles.append(handle)
        if HEAD not in places:
            self._handles.append(
                anatomy.head.register_forward_pre_hook(self._before_head, with_kwargs=True)
            )

    def detach(self) -> None:
        """Remove every hook; nothing of the memories stays in the model."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    @contextmanager
    def record(self) -> Iterator[Recording]:
        """Collect the hidden states of this thread's forward passes, untouched."""
        recording: Recording = {}
        token = _recordings.set({**_recordings.get(), id(self): recording})
        try:
            yield recording
        finally:
            _recordings.reset(token)

    def hidden_states(self, model: nn.Module, inputs: Mapping[str, Any]) -> Recording:
        """Run the frozen model up to its output embeddings and return what passed each place.

        Parameters
        ----------
        model : Module
        inputs : mapping
            Arguments of the model's forward.

        Returns
        -------
        dict of Place to Tensor
            Shape (batch, length, d) each.
        """
        with self.record() as recording, torch.no_grad(), suppress(_HeadReached):
            model(**inputs, use_cache=False)
        return recording

    def see(self, place: Place, hidden: Tensor) -> Tensor:
        """Record or rewrite hidden states at a place."""
        recording = _recordings.get().get(id(self))
        if recording is None:
            return self.reader(place, hidden)
        recording[place] = hidden.detach()
        return hidden

    def _before_head(
        self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        if id(self) in _recordings.get():
            if HEAD in self.places:
                self.see(HEAD, args[0])
            raise _HeadReached
        if HEAD not in self.places:
            return None
        return (self.see(HEAD, args[0]), *args[1:]), kwargs

    def _after_last(self, _module: nn.Module, _args: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, tuple):
            return (self.see(LAST, output[0]), *output[1:])
        return self.see(LAST, output)


class _BeforeBlock:
    """Forward pre-hook of one block, which may take its hidden states by position or by name."""

    def __init__(self, attachment: Attachment, place: Place) -> None:
        self.attachment = attachment
        self.place = place

    def __call__(
        self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if args:
            return (self.attachment.see(self.place, args[0]), *args[1:]), kwargs
        hidden = self.attachment.see(self.place, kwargs["hidden_states"])
        return args, {**kwargs, "hidden_states": hidden}


def attachments(model: nn.Module) -> list[Attachment]:
    """Every attachment that has hooks in a model."""
    found: dict[int, Attachment] = {}
    for module in model.modules():
        for hook in (*module._forward_pre_hooks.values(), *module._forward_hooks.values()):
            owner = _owner(hook)
            if owner is not None:
                found[id(owner)] = owner
    return list(found.values())


def strip(model: nn.Module) -> None:
    """Remove every memory's hooks from a model, such as a copy of one that carried memories."""
    for module in model.modules():
        for hooks, with_options in (
            (module._forward_pre_hooks, module._forward_pre_hooks_with_kwargs),
            (module._forward_hooks, module._forward_hooks_with_kwargs),
        ):
            for key in [key for key, hook in hooks.items() if _owner(hook) is not None]:
                del hooks[key]
                with_options.pop(key, None)


def _owner(hook: Any) -> Attachment | None:
    if isinstance(hook, _BeforeBlock):
        return hook.attachment
    owner = getattr(hook, "__self__", None)
    return owner if isinstance(owner, Attachment) else None
