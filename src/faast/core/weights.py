"""Fast weights: what a solver makes of moments.

Reading queries with weights on the rows and, where there are some, on their lift.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from faast._utils.arrays import FloatArray
from faast._utils.validation import as_rows, check_finite, to_numpy
from faast.core.grid import BLOCK_ROWS, Grid
from faast.core.persistence import State
from faast.core.random_features import RandomFeatures, projections, random_features_on


@dataclass(frozen=True, eq=False)
class FastWeights:
    """A linear read-out with its diagnostics.

    Attributes
    ----------
    matrix : ndarray of shape (d, m), float64
    bias : ndarray of shape (m,), float64
    rank : int
        Directions of the keys that were kept.
    condition : float
        Ratio of the largest to the smallest kept singular value of the keys.
    explained : float
        Share of the values' sum of squares that the weights reproduce on the learned rows, in 0..1.
    strength : float
        Regularisation that was used, in units of the Gram matrix (0 for none).
    """

    matrix: FloatArray
    bias: FloatArray
    rank: int
    condition: float
    explained: float
    strength: float = 0.0

    def read(self, queries: Any) -> FloatArray:
        """Read queries.

        Parameters
        ----------
        queries : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n, m), float64

        Raises
        ------
        ValueError
            Wrong width or type, or a row that holds NaN or inf.
        """
        rows = to_numpy(as_rows(queries, "queries", self.matrix.shape[0]))
        check_finite(rows, "queries")
        return np.asarray(rows, dtype=np.float64) @ self.matrix + self.bias

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.matrix.nbytes + self.bias.nbytes

    def to_state(self) -> State:
        """Return what a file keeps."""
        scalars = ("rank", "condition", "explained", "strength")
        return State(
            {"matrix": self.matrix, "bias": self.bias},
            {name: getattr(self, name) for name in scalars},
        )

    @classmethod
    def from_state(cls, state: State) -> FastWeights:
        """Restore what `to_state` returned."""
        kept: dict[str, Any] = {**state.tensors, **state.metadata}
        return cls(**kept)


@dataclass(frozen=True, eq=False)
class FeatureWeights:
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
    def of(cls, key_grid: Grid, n_features: int, weights: FastWeights) -> FeatureWeights:
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

    def lift(self, n_features: int) -> RandomFeatures:
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
    def from_state(cls, state: State) -> FeatureWeights:
        """Restore what `to_state` returned."""
        tensors, metadata = dict(state.tensors), dict(state.metadata)
        scale = tensors.pop("key_scale")
        grid = Grid(metadata.pop("bits"), scale if scale.ndim else float(scale))
        return cls(grid, FastWeights.from_state(State(tensors, metadata)))


def _lift_of(weights: FastWeights, key_grid: Grid, n_features: int) -> RandomFeatures:
    n_shifts = (len(weights.matrix) - n_features) // projections(n_features)
    return random_features_on(key_grid, n_features, n_shifts)
