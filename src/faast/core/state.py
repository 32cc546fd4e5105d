"""Convert objects to what a file holds, arrays and JSON values, by their dataclass fields.

A class that a file can hold is a dataclass that inherits from `Stored`. Its fields say what is
written: arrays become tensors, objects that can be stored become nested parts, plain values become
JSON. `Annotated` types say what a field must satisfy; every rule is checked when a file is read,
before the object is built. Fields with the metadata `NOT_STORED` are not written.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    NamedTuple,
    Protocol,
    Self,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

import numpy as np

from faast._utils.arrays import AnyArray

LARGEST_NUMBER = 1e150
"""Largest absolute number that a file may hold, so that squares are finite."""

NOT_STORED = {"stored": False}
"""Metadata of a dataclass field that is not written."""


class State(NamedTuple):
    """Content of one object as a file holds it.

    Attributes
    ----------
    tensors : dict of str to ndarray
    metadata : dict of str to JSON value
    """

    tensors: dict[str, AnyArray]
    metadata: dict[str, Any]

    @classmethod
    def join(cls, parts: dict[str, State], **metadata: Any) -> State:
        """Nest the states of parts under their names, and add metadata of the whole."""
        tensors = {
            f"{part}.{name}": tensor
            for part, state in parts.items()
            for name, tensor in state.tensors.items()
        }
        return cls(tensors, metadata | {part: state.metadata for part, state in parts.items()})

    def part(self, name: str) -> State:
        """Return the state of a part.

        Raises
        ------
        KeyError
            If there is no such part.
        """
        prefix = f"{name}."
        tensors = {
            tensor_name.removeprefix(prefix): tensor
            for tensor_name, tensor in self.tensors.items()
            if tensor_name.startswith(prefix)
        }
        return State(tensors, self.metadata[name])


@runtime_checkable
class Storable(Protocol):
    """An object that a file can hold."""

    def to_state(self) -> State:
        """Return the content to write."""

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild the object; raise ValueError or KeyError if the content is invalid."""


@dataclass(frozen=True)
class Array:
    """Rule for a field that is an array.

    Parameters
    ----------
    *shape : str or int
        Length of each axis; axes of the same name must have the same length in all arrays.
    dtypes : tuple of str
        Names of the dtypes that may be read.
    minimum : float, optional
        Smallest value that an entry may have.
    """

    shape: tuple[str | int, ...]
    dtypes: tuple[str, ...]
    minimum: float | None

    def __init__(
        self,
        *shape: str | int,
        dtypes: tuple[str, ...] = ("float64",),
        minimum: float | None = None,
    ) -> None:
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "dtypes", dtypes)
        object.__setattr__(self, "minimum", minimum)

    def check(self, name: str, value: Any, axes: dict[str, int]) -> None:
        """Raise ValueError if an array breaks the rule; record lengths of named axes in `axes`."""
        if not isinstance(value, np.ndarray) or value.dtype.name not in self.dtypes:
            found = value.dtype.name if isinstance(value, np.ndarray) else type(value).__name__
            raise ValueError(f"{name} must be an array of {' or '.join(self.dtypes)}, got {found}")
        lengths = zip(self.shape, value.shape, strict=False)
        expected = [n if isinstance(n, int) else axes.setdefault(n, m) for n, m in lengths]
        if value.ndim != len(self.shape) or list(value.shape) != expected:
            raise ValueError(f"{name} must have shape {self.shape}, got {value.shape}")
        peak = float(np.abs(value).max(initial=0.0)) if value.dtype.kind == "f" else 0.0
        if not peak <= LARGEST_NUMBER:
            raise ValueError(f"{name} holds NaN, inf or a number beyond {LARGEST_NUMBER:g}")
        if self.minimum is not None and value.size and value.min() < self.minimum:
            raise ValueError(f"{name} must be at least {self.minimum:g}, got {value.min():g}")


@dataclass(frozen=True)
class Range:
    """Rule for a field that is a number: lowest and highest value."""

    lowest: float = -math.inf
    highest: float = math.inf

    def check(self, name: str, value: Any, axes: dict[str, int]) -> None:
        """Raise ValueError if a number breaks the rule."""
        if not self.lowest <= value <= self.highest:
            raise ValueError(
                f"{name} must be between {self.lowest:g} and {self.highest:g}, got {value:g}"
            )


@dataclass(frozen=True)
class Json:
    """How a field is written as JSON, where its type is not a plain value.

    Attributes
    ----------
    encode : callable
        Converts the value to JSON.
    decode : callable
        Converts JSON to the value; raises ValueError or TypeError if the JSON is invalid.
    """

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


class Stored:
    """Base class of dataclasses that are written to files field by field; see the module."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        held = [getattr(self, field.name) for field in _stored_fields(type(self))]
        return sum(value.nbytes for value in held if hasattr(value, "nbytes"))

    def to_state(self) -> State:
        """Return the content to write."""
        parts: dict[str, State] = {}
        tensors: dict[str, AnyArray] = {}
        metadata: dict[str, Any] = {}
        for field in _stored_fields(type(self)):
            value = getattr(self, field.name)
            if field.json is not None and value is not None:
                metadata[field.name] = field.json.encode(value)
            elif isinstance(value, Storable):
                parts[field.name] = value.to_state()
            elif isinstance(value, np.ndarray):
                tensors[field.name] = value
            elif value is not None:
                metadata[field.name] = value
        nested = State.join(parts, **metadata)
        return State(nested.tensors | tensors, nested.metadata)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild the object from its content.

        Raises
        ------
        KeyError
            If a field is missing.
        ValueError
            If a field breaks its rule, or fields contradict each other (see `validate`).
        """
        axes: dict[str, int] = {}
        values = {field.name: field.read(state, axes) for field in _stored_fields(cls)}
        built = cls(**values)
        built.validate()
        return built

    def validate(self) -> None:
        """Raise ValueError if fields contradict each other; subclasses override this."""


@dataclass(frozen=True)
class _Field:
    name: str
    kinds: tuple[Any, ...]
    optional: bool
    rules: tuple[Any, ...]
    json: Json | None

    def read(self, state: State, axes: dict[str, int]) -> Any:
        if self.name not in state.tensors and self.name not in state.metadata:
            if self.optional:
                return None
            raise KeyError(f"{self.name} is missing")
        value = self._value(state)
        for rule in self.rules:
            if not (
                isinstance(rule, Array) and isinstance(value, float)
            ):  # a scale for all columns
                rule.check(self.name, value, axes)
        return value

    def _value(self, state: State) -> Any:
        if self.name in state.tensors:
            if np.ndarray not in self.kinds:
                raise ValueError(f"{self.name} cannot be an array")
            return state.tensors[self.name]
        value = state.metadata[self.name]
        if self.json is not None:
            return self.json.decode(value)
        for kind in self.kinds:
            if hasattr(kind, "from_state"):
                if not isinstance(value, dict):
                    raise ValueError(f"{self.name} must be a nested object, got {value!r}")
                return kind.from_state(state.part(self.name))
        return self._plain(value)

    def _plain(self, value: Any) -> Any:
        if float in self.kinds and type(value) in (int, float) and math.isfinite(value):
            return float(value)
        if type(value) in self.kinds and type(value) is not float:
            return value
        expected = " or ".join(getattr(kind, "__name__", str(kind)) for kind in self.kinds)
        raise ValueError(f"{self.name} must be {expected}, got {value!r}")


_FIELDS: dict[type, list[_Field]] = {}


def _stored_fields(cls: type) -> list[_Field]:
    """Return the fields that are written; their types are resolved once per class."""
    if cls not in _FIELDS:
        hints = get_type_hints(cls, include_extras=True)
        stored = [f for f in fields(cls) if f.metadata.get("stored", True)]
        _FIELDS[cls] = [_described(f.name, hints[f.name]) for f in stored]
    return _FIELDS[cls]


def _described(name: str, hint: Any) -> _Field:
    rules: list[Any] = []
    if get_origin(hint) is Annotated:
        hint, *rules = get_args(hint)
    union = get_origin(hint) in (Union, UnionType)
    options = get_args(hint) if union else (hint,)
    kinds = []
    for option in options:
        if get_origin(option) is Annotated:
            option, *more = get_args(option)
            rules += more
        kinds.append(get_origin(option) or option)
    json = next((rule for rule in rules if isinstance(rule, Json)), None)
    return _Field(
        name,
        tuple(kind for kind in kinds if kind is not NoneType),
        NoneType in kinds,
        tuple(rule for rule in rules if not isinstance(rule, Json)),
        json,
    )
