"""What objects hand to a file and take from it: arrays and plain JSON values."""

from __future__ import annotations

from typing import Any, NamedTuple

from faast._typing import AnyArray


class State(NamedTuple):
    """Tensors and metadata of an object.

    Attributes
    ----------
    tensors : dict of str to ndarray
    metadata : dict of str to JSON value
    """

    tensors: dict[str, AnyArray]
    metadata: dict[str, Any]

    @classmethod
    def joined(cls, parts: dict[str, State], **metadata: Any) -> State:
        """Nest the states of parts under their names, beside metadata of the whole."""
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
            There is no such part.
        """
        prefix = f"{name}."
        tensors = {
            tensor_name.removeprefix(prefix): tensor
            for tensor_name, tensor in self.tensors.items()
            if tensor_name.startswith(prefix)
        }
        return State(tensors, self.metadata[name])
