"""Fast weights: what a solver makes of moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from faast._typing import FloatArray
from faast.inputs import as_rows, check_finite, to_numpy
from faast.state import State


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
