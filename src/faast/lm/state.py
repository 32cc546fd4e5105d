"""Learned state as frozen dataclasses of tensors: its bytes and its file content are its fields.

The metadata of a field says what its content must satisfy (`checked`); every rule, and `validate`
of the whole, is checked when a file is read, before the memory is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from faast._utils.arrays import AnyArray
from faast.core.state import Array, Range, State

LARGEST_ENTRY = {torch.float32: 1e9, torch.float64: 1e30}
"""Entries of a file may be as large as this, so that reads and steps stay finite in float32."""
LARGEST_COUNT = 2**40
"""Pairs that a memory of a file may have learned."""

SETTING = {"setting": True}
"""Metadata of a field that is not learned: files leave it out, and the model gives it."""


def checked(*rules: Array | Range) -> dict[str, Any]:
    """Return the metadata of a learned field whose content must satisfy rules."""
    return {"rules": rules}


@dataclass(frozen=True)
class LearnedState:
    """Base of frozen dataclasses whose fields are learned, except those marked with `SETTING`.

    A learned field is a tensor, a number, a tuple of numbers, or an object that has `nbytes`,
    `to_state` and `from_state` of its own.
    """

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors."""
        return sum(value.nbytes for _, value in self._learned() if not _is_plain(value))

    def to_state(self) -> State:
        """Return the learned fields as a file holds them."""
        tensors: dict[str, AnyArray] = {}
        plain: dict[str, Any] = {}
        parts: dict[str, State] = {}
        for name, value in self._learned():
            if isinstance(value, Tensor):
                tensors[name] = value.detach().cpu().numpy()
            elif _is_plain(value):
                plain[name] = list(value) if isinstance(value, tuple) else value
            else:
                parts[name] = value.to_state()
        nested = State.join(parts, **plain)
        return State(nested.tensors | tensors, nested.metadata)

    def from_state(self, state: State) -> Self:
        """Return the state that `to_state` described, with the settings of this empty one.

        Raises
        ------
        KeyError
            A field is missing.
        ValueError
            A field breaks its rules, or does not have the dtype and shape that this model needs.
        """
        axes: dict[str, int] = {}
        values: dict[str, Any] = {}
        rules = {one.name: one.metadata.get("rules", ()) for one in fields(self)}
        for name, empty in self._learned():
            if isinstance(empty, Tensor):
                found = state.tensors[name]
                values[name] = _read_tensor(name, found, empty)
            elif _is_plain(empty):
                found = values[name] = _read_plain(name, state.metadata[name], empty)
            else:
                values[name] = empty.from_state(state.part(name))
                continue
            for rule in rules[name]:
                rule.check(name, found, axes)
        built = replace(self, **values)
        built.validate(self)
        return built

    def validate(self, empty: Self) -> None:
        """Raise ValueError where fields contradict each other, or the empty state of this model."""

    def _learned(self) -> Iterator[tuple[str, Any]]:
        for one in fields(self):
            if "setting" not in one.metadata:
                yield one.name, getattr(self, one.name)


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float | tuple)


def _read_tensor(name: str, array: AnyArray, empty: Tensor) -> Tensor:
    """Return an array as a tensor like the empty one, whose axes of length 0 may grow."""
    found = torch.from_numpy(array)
    expected = [n or m for n, m in zip(empty.shape, found.shape, strict=False)]
    if found.dtype != empty.dtype or found.ndim != empty.ndim or list(found.shape) != expected:
        raise ValueError(
            f"{name} is {found.dtype} of shape {tuple(found.shape)}, this model needs "
            f"{empty.dtype} of shape {tuple(empty.shape)} (0 stands for any length)"
        )
    largest = LARGEST_ENTRY.get(found.dtype)
    if largest is not None and found.numel() and not float(found.abs().max()) <= largest:
        raise ValueError(f"{name} holds NaN, inf or a number beyond {largest:g}")
    return found.to(empty.device)


def _read_plain(name: str, value: Any, empty: Any) -> Any:
    """Return a number, or a list of as many numbers as the empty tuple has, of the same type."""
    if isinstance(empty, tuple):
        if type(value) is not list or len(value) != len(empty):
            raise ValueError(f"{name} must be a list of {len(empty)} numbers, got {value!r:.80}")
        return tuple(_read_plain(name, *pair) for pair in zip(value, empty, strict=True))
    if type(value) is int and abs(value) < 2**53:
        return type(empty)(value)
    if type(value) is not float or type(empty) is not float or not math.isfinite(value):
        raise ValueError(f"{name} must be {type(empty).__name__}, got {value!r:.80}")
    return value
