"""Learned state as frozen dataclasses of tensors: its bytes and its file content are its fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import torch
from torch import Tensor

from faast._utils.arrays import AnyArray
from faast.core.state import State

SETTING = {"setting": True}
"""Metadata of a field that is not learned: files leave it out, and the model gives it."""


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
            A tensor does not have the dtype and shape that this model needs.
        """
        values: dict[str, Any] = {}
        for name, empty in self._learned():
            if isinstance(empty, Tensor):
                values[name] = _read_tensor(name, state.tensors[name], empty)
            elif _is_plain(empty):
                values[name] = type(empty)(state.metadata[name])
            else:
                values[name] = empty.from_state(state.part(name))
        return replace(self, **values)

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
    return found.to(empty.device)
