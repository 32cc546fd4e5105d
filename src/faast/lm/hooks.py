"""Forward hooks that record and rewrite hidden states, and can be removed without trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import torch
from torch import Tensor, nn

from faast.lm.architecture import find_architecture
from faast.lm.cached_tokens import continue_sequences
from faast.lm.exceptions import UnsupportedModelError
from faast.lm.generation_tokens import GenerationTokens, unwrap
from faast.lm.model_call import ModelCall
from faast.lm.ngrams import LONGEST_CONTEXT, hash_contexts

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle
    from transformers import PreTrainedModel

    from faast.lm.architecture import Architecture

HEAD = "head"
"""In front of the output embeddings, behind the final norm."""
LAST = "last"
"""Behind the last block, in front of the final norm."""
LOGITS = "logits"
"""Behind the model."""

HookPoint = int | str
"""Index of a block (in front of it), `LAST`, `HEAD` or `LOGITS`."""
HiddenStates = dict[HookPoint, Tensor]
"""Hidden states of shape (batch, length, d) at each hook point."""
Reader = Callable[[HookPoint, Tensor], Tensor]
"""Rewrites hidden states of shape (batch, length, d)."""
LogitsReader = Callable[[Tensor, Tensor], Tensor]
"""Rewrites logits (batch, n, vocabulary) that follow contexts (batch, n, k)."""
Hook = TypeVar("Hook", bound=Callable[..., Any])


class _Recording(NamedTuple):
    """Hidden states of a model that are collected, and who collects them."""

    owner: Hooks
    states: HiddenStates


_recordings: ContextVar[Mapping[int, _Recording]] = ContextVar(
    "faast_recordings", default=MappingProxyType({})
)
"""By the model: all memories that are attached to it leave what is recorded as it is."""

_logits_as_given: ContextVar[bool] = ContextVar("faast_logits_as_given", default=False)


@contextmanager
def logits_as_given() -> Iterator[None]:
    """Run this thread's forward passes without recall, and without solving memories first."""
    token = _logits_as_given.set(True)
    try:
        yield
    finally:
        _logits_as_given.reset(token)


_called: ContextVar[frozenset[int]] = ContextVar("faast_called_models", default=frozenset())
"""Which `Hooks` have seen the beginning of a forward pass, and not its end."""


class _HeadReached(Exception):  # noqa: N818 - a signal, not an error
    """Stops a forward pass in front of the output embeddings."""


def _not_compiled(hook: Hook) -> Hook:
    """Let torch.compile leave a hook as it is: memories are read by ordinary code."""
    return cast("Hook", torch.compiler.disable(hook))  # type: ignore[no-untyped-call]


class Hooks:
    """Forward hooks at chosen points of a decoder.

    In an ordinary forward pass hidden states at each point are replaced by what `read` returns.
    While this thread records (`hidden_states`), they are collected and left as they are, also by
    the hooks of other memories.

    Parameters
    ----------
    model : PreTrainedModel
    points : tuple of HookPoint
    read : callable
        From a hook point and hidden states to new hidden states.
    read_logits : callable, optional
        From logits and the contexts that they follow to new logits, where `LOGITS` is among the
        points.
    begin_pass, end_pass : callable, optional
        Called without arguments before and after every ordinary forward pass.
    check : callable, optional
        Called without arguments before every forward pass; raises where it must not run.

    Raises
    ------
    UnsupportedModelError
        The model has no such points.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        points: tuple[HookPoint, ...],
        read: Reader,
        read_logits: LogitsReader | None = None,
        begin_pass: Callable[[], None] | None = None,
        end_pass: Callable[[], None] | None = None,
        check: Callable[[], None] | None = None,
    ) -> None:
        architecture = find_architecture(model)
        self.model = model
        self.points = points
        self._read = read
        self._read_logits = read_logits
        self._generation: GenerationTokens | None = None
        self._begin_pass = begin_pass
        self._end_pass = end_pass
        self._check = check
        self._handles: list[RemovableHandle] = []
        try:
            self._attach(architecture)
        except BaseException:
            self.remove()
            raise

    def _attach(self, architecture: Architecture) -> None:
        self._handles.append(
            architecture.head.register_forward_pre_hook(self._before_head, with_kwargs=True)
        )
        self._handles.append(self.model.register_forward_pre_hook(self._before_model))
        for point in self.points:
            if isinstance(point, int):
                before = partial(self._before_block, point)
                block = architecture.blocks[point]
                self._handles.append(block.register_forward_pre_hook(before, with_kwargs=True))
            elif point == LAST:
                last = architecture.blocks[-1]
                self._handles.append(last.register_forward_hook(self._after_last))
            elif point == LOGITS:
                self._generation = GenerationTokens(self.model)
                after = self.model.register_forward_hook(self._after_model, with_kwargs=True)
                self._handles.append(after)
        end = self.model.register_forward_hook(self._end_call, always_call=True)
        self._handles.append(end)  # after all that reads

    def remove(self) -> None:
        """Remove every hook: nothing is left in the model."""
        if self._generation is not None:
            self._generation.remove()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def require_attached(self) -> None:
        """Raise ValueError if the hooks were removed."""
        if not self._handles:
            raise ValueError(
                "the memories were detached from this model; attach memories again with "
                "FaastForCausalLM.from_base or from_pretrained"
            )

    def hidden_states(self, inputs: Mapping[str, Any]) -> HiddenStates:
        """Run the frozen model up to its head and return the hidden states at each point.

        Parameters
        ----------
        inputs : mapping
            Arguments of the model's forward.

        Returns
        -------
        dict of HookPoint to Tensor of shape (batch, length, d)

        Raises
        ------
        ValueError
            The hooks were removed.
        """
        self.require_attached()
        with self._record() as recording, torch.no_grad(), suppress(_HeadReached):
            self.model(**inputs, use_cache=False)
        return recording

    @contextmanager
    def _record(self) -> Iterator[HiddenStates]:
        """Collect the hidden states of this thread's forward passes."""
        recording = _Recording(self, {})
        token = _recordings.set({**_recordings.get(), id(self.model): recording})
        try:
            yield recording.states
        finally:
            _recordings.reset(token)

    def _visit(self, point: HookPoint, hidden: Tensor) -> Tensor:
        """Record or rewrite hidden states at a point."""
        recording = self._recording
        if recording is None:
            return self._read(point, hidden)
        if recording.owner is self:
            recording.states[point] = hidden.detach()
        return hidden

    @property
    def _recording(self) -> _Recording | None:
        return _recordings.get().get(id(self.model))

    @property
    def _is_ordinary(self) -> bool:
        """Whether a forward pass of this thread is one that somebody asked for."""
        return self._recording is None and not _logits_as_given.get()

    @_not_compiled
    def _before_model(self, _module: nn.Module, _args: tuple[Any, ...]) -> None:
        if self._check is not None:
            self._check()
        called = _called.get()  # before solving, which may run the model and so clear it
        if self._begin_pass is not None and self._is_ordinary:
            self._begin_pass()
        _called.set(called | {id(self)})

    @_not_compiled
    def _before_block(
        self, point: int, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if args:
            return (self._visit(point, args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": self._visit(point, kwargs["hidden_states"])}

    @_not_compiled
    def _after_last(self, _module: nn.Module, _args: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, tuple):
            return (self._visit(LAST, output[0]), *output[1:])
        return self._visit(LAST, output)

    @_not_compiled
    def _after_model(
        self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> Any:
        read = self._read_logits
        if read is None or self._generation is None or _logits_as_given.get():
            return output
        call = ModelCall.bind(self.model, args, kwargs)
        n_tokens = call.input_ids.shape[1]
        sequences = continue_sequences(call, output, self._generation.take(call.input_ids))
        marked = call.mark_padding(sequences[:, 1 - LONGEST_CONTEXT - n_tokens :])
        contexts = hash_contexts(marked.numpy(force=True), n_tokens)
        kept = call.keep(torch.from_numpy(contexts))
        return call.replace_logits(output, lambda logits: read(logits, kept))

    @_not_compiled
    def _end_call(self, _module: nn.Module, _args: tuple[Any, ...], _output: Any) -> None:
        _called.set(_called.get() - {id(self)})
        if self._end_pass is not None and self._is_ordinary:
            self._end_pass()

    def _check_called(self) -> None:
        """Check a forward pass that did not begin as a call of the model.

        Raises
        ------
        UnsupportedModelError
            Memories would be read in part.
        """
        if id(self) in _called.get():
            return
        if self._check is not None:
            self._check()
        if LOGITS in self.points:
            raise UnsupportedModelError(
                "the model's forward was called, instead of the model, so that its recall memory "
                "would not be read; call model(...)"
            )

    @_not_compiled
    def _before_head(
        self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        self._check_called()
        given = args
        if HEAD in self.points:
            given = (self._visit(HEAD, args[0]), *args[1:])
        recording = self._recording
        if recording is not None and recording.owner is self:
            raise _HeadReached
        return given, kwargs


def find_hooks(model: nn.Module) -> list[Hooks]:
    """Return every `Hooks` that is attached to a model."""
    found: dict[int, Hooks] = {}
    for module in model.modules():
        for hook in (*module._forward_pre_hooks.values(), *module._forward_hooks.values()):
            owner = _owner(hook)
            if owner is not None:
                found[id(owner)] = owner
    return list(found.values())


def remove_all_hooks(model: nn.Module) -> None:
    """Remove the hooks of every `Hooks` from a model, such as a copy of one that has memories."""
    unwrap(model)
    for module in model.modules():
        for hooks, with_options in (
            (module._forward_pre_hooks, module._forward_pre_hooks_with_kwargs),
            (module._forward_hooks, module._forward_hooks_with_kwargs),
        ):
            for key in [key for key, hook in hooks.items() if _owner(hook) is not None]:
                del hooks[key]
                with_options.pop(key, None)
                module._forward_hooks_always_called.pop(key, None)


def _owner(hook: Any) -> Hooks | None:
    """Return the `Hooks` whose method, or partial method, a hook is."""
    owner = getattr(getattr(hook, "func", hook), "__self__", None)
    return owner if isinstance(owner, Hooks) else None
