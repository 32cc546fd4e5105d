"""Reading queries with weights on the rows and, where there are some, on their lift."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from faast._typing import FloatArray
from faast.grid import BLOCK_ROWS, Grid
from faast.inputs import as_rows, check_finite, to_numpy
from faast.lift import Lift, lift_on, projections
from faast.state import State
from faast.weights import FastWeights


@dataclass(frozen=True, eq=False)
class LiftedWeights:
    """Fast weights of lifted rows.

    Attributes
    ----------
    key_grid : Grid
        Of the rows that were learned: queries are rounded to it before they are lifted.
    weights : FastWeights
        On lifted rows in grid units.
    """

    key_grid: Grid
    weights: FastWeights

    @classmethod
    def of(cls, key_grid: Grid, n_features: int, weights: FastWeights) -> LiftedWeights:
        """Take weights on lifted rows in the units of their moments."""
        units = _lift_of(weights, key_grid, n_features).per_unit
        return cls(key_grid, replace(weights, matrix=weights.matrix / units[:, None]))

    def read(self, queries: Any) -> FloatArray:
        """Read queries: array-like of shape (n, d) to ndarray of shape (n, m), float64."""
        rows = to_numpy(as_rows(queries, "queries"))
        check_finite(rows, "queries")
        lift = self.lift(rows.shape[1])
        blocks = [
            lift(self.key_grid.nearest(rows[start : start + BLOCK_ROWS])) @ self.weights.matrix
            for start in range(0, len(rows), BLOCK_ROWS)
        ]
        return np.concatenate([np.zeros((0, len(self.weights.bias))), *blocks]) + self.weights.bias

    def lift(self, n_features: int) -> Lift:
        """Return the lift of rows of this width that the weights read."""
        return _lift_of(self.weights, self.key_grid, n_features)

    @property
    def nbytes(self) -> int:
        """Bytes held; the lift itself is fixed by the width alone."""
        return self.weights.nbytes

    def to_state(self) -> State:
        """Return what a file keeps."""
        state = self.weights.to_state()
        scale = np.asarray(self.key_grid.scale, dtype=np.float64)
        return State(
            {**state.tensors, "key_scale": scale}, {**state.metadata, "bits": self.key_grid.bits}
        )

    @classmethod
    def from_state(cls, state: State) -> LiftedWeights:
        """Restore what `to_state` returned."""
        tensors, metadata = dict(state.tensors), dict(state.metadata)
        scale = tensors.pop("key_scale")
        grid = Grid(metadata.pop("bits"), scale if scale.ndim else float(scale))
        return cls(grid, FastWeights.from_state(State(tensors, metadata)))


def _lift_of(weights: FastWeights, key_grid: Grid, n_features: int) -> Lift:
    n_shifts = (len(weights.matrix) - n_features) // projections(n_features)
    return lift_on(key_grid, n_features, n_shifts)
