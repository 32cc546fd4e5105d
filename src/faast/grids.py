"""How keys and values are rounded: said by the caller, or decided by the first rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from faast._typing import AnyArray, FloatArray
from faast.grid import Grid, grid_for
from faast.state import State


@dataclass(frozen=True, eq=False)
class Grids:
    """The grid of keys and the grid of values, None while undecided.

    Attributes
    ----------
    bits : int or None
    key, value : Grid or None
    given : tuple of two Grid or None
        What the caller said, to go back to when nothing is learned.
    """

    bits: int | None
    key: Grid | None
    value: Grid | None
    given: tuple[Grid | None, Grid | None]

    @classmethod
    def of(
        cls,
        bits: int | None,
        key_scale: float | AnyArray | None,
        value_scale: float | AnyArray | None,
    ) -> Grids:
        """Take the caller's word for scales; without bits there is nothing to decide."""
        key, value = (
            Grid(bits) if bits is None else None if scale is None else _grid(bits, scale)
            for scale in (key_scale, value_scale)
        )
        Grid(bits)
        return cls(bits, key, value, (key, value))

    def settled(self, keys: Any, values: Any) -> Grids:
        """Decide by these rows what is undecided."""
        return replace(
            self,
            key=self.key or grid_for(keys, self.bits),
            value=self.value or grid_for(values, self.bits),
        )

    def joined(self, other: Grids) -> Grids:
        """Decide by the other what is undecided.

        Raises
        ------
        ValueError
            Both are decided, and differ.
        """
        for name in ("key", "value"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine and theirs and not mine.same_as(theirs):
                raise ValueError(
                    f"cannot combine moments with different {name} scales ({mine.scale} and "
                    f"{theirs.scale}); give both the same {name}_scale before they learn"
                )
        return replace(self, key=self.key or other.key, value=self.value or other.value)

    def undecided(self) -> Grids:
        """Go back to what the caller said."""
        return replace(self, key=self.given[0], value=self.given[1])

    def take_values(self, columns: AnyArray) -> Grids:
        """Rearrange columns of values; fresh ones (-1) take the largest scale."""
        if self.value is None or not np.ndim(self.value.scale):
            return self
        scale = np.asarray(self.value.scale)
        rearranged = np.where(columns < 0, scale.max(), scale[columns])
        return replace(self, value=Grid(self.bits, rearranged))

    def leading(self, n_features: int) -> Grids:
        """Keep the first columns of keys."""
        if self.key is None or not np.ndim(self.key.scale):
            return self
        return replace(self, key=Grid(self.bits, np.asarray(self.key.scale)[:n_features]))

    def key_units(self, n_features: int) -> FloatArray:
        """Grid units in 1.0 of each key column."""
        return np.broadcast_to((self.key or Grid(self.bits)).per_unit, n_features)

    def value_units(self, n_values: int) -> FloatArray:
        """Grid units in 1.0 of each value column."""
        return np.broadcast_to((self.value or Grid(self.bits)).per_unit, n_values)

    def same_as(self, other: Grids) -> bool:
        """Tell whether rows are rounded alike; undecided is as scale 1."""
        plain = Grid(self.bits)
        return (self.key or plain).same_as(other.key or Grid(other.bits)) and (
            self.value or plain
        ).same_as(other.value or Grid(other.bits))

    def to_state(self) -> State:
        """Return what a file keeps."""
        tensors = {
            f"{name}_scale": np.asarray(grid.scale, dtype=np.float64)
            for name, grid in (("key", self.key), ("value", self.value))
            if grid is not None
        }
        return State(tensors, {"bits": self.bits, "given": [bool(grid) for grid in self.given]})

    @classmethod
    def from_state(cls, state: State) -> Grids:
        """Restore what `to_state` returned."""
        bits = state.metadata["bits"]
        scales = (state.tensors.get(name) for name in ("key_scale", "value_scale"))
        key, value = (None if scale is None else _grid(bits, scale) for scale in scales)
        given = state.metadata["given"]
        return cls(bits, key, value, (key if given[0] else None, value if given[1] else None))


def _grid(bits: int | None, scale: float | AnyArray) -> Grid:
    return Grid(bits, np.asarray(scale, dtype=np.float64) if np.ndim(scale) else float(scale))
