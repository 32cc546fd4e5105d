"""Fast weights: a linear map from keys to values, solved from statistics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import as_rows, check_finite, to_numpy
from faast.core.grid import BLOCK_ROWS
from faast.core.random_features import RandomFeatures
from faast.core.state import Array, Range, Stored


@dataclass(frozen=True, eq=False)
class FeatureWeights(Stored):
    """A linear map from the random features of a query to values.

    Attributes
    ----------
    features : RandomFeatures
        Maps queries in units of its grid.
    matrix : ndarray of shape (width, m), float64
    bias : ndarray of shape (m,), float64
    """

    features: RandomFeatures
    matrix: Annotated[FloatArray, Array("width", "m")]
    bias: Annotated[FloatArray, Array("m")]

    def map(self, rows: FloatArray) -> AnyArray:
        """Return random features (n, width) of validated queries (n, d), float32."""
        return self.features(self.features.grid.nearest(rows))

    def read(self, rows: FloatArray) -> FloatArray:
        """Return the values (n, m) of validated queries (n, d)."""
        blocks = [
            self.map(rows[start : start + BLOCK_ROWS]).astype(np.float64) @ self.matrix
            for start in range(0, len(rows), BLOCK_ROWS)
        ]
        if len(blocks) == 1:
            return blocks[0] + self.bias
        return np.concatenate([np.zeros((0, len(self.bias))), *blocks]) + self.bias

    def validate(self) -> None:
        """Raise ValueError if the matrix does not have the width of the random features."""
        if len(self.matrix) != self.features.width:
            raise ValueError(
                f"weights of {len(self.matrix)} columns do not fit random features of "
                f"{self.features.width} columns"
            )


@dataclass(frozen=True, eq=False)
class FastWeights(Stored):
    """A linear map from queries to values, with diagnostics of the solution.

    Attributes
    ----------
    matrix : ndarray of shape (d, m), float64
    bias : ndarray of shape (m,), float64
    rank : int
        Number of directions of the keys that were kept.
    condition : float
        Ratio of the largest to the smallest kept singular value of the keys.
    explained : float
        How much of the learned rows the weights account for, in 0..1: the share of the values' sum
        of squares that they reproduce; from a discriminant, the share of the rows' scatter that
        lies between classes.
    strength : float
        Regularisation that was used (0 for none): what a ridge adds to the Gram matrix, the
        shrinkage of a discriminant, or the damping of natural gradient steps.
    mapped : FeatureWeights or None
        Weights of the query's random features, whose values are added; None without them.
    """

    matrix: Annotated[FloatArray, Array("d", "m")]
    bias: Annotated[FloatArray, Array("m")]
    rank: Annotated[int, Range(0)]
    condition: Annotated[float, Range(0)]
    explained: Annotated[float, Range(0, 1)]
    strength: float = 0.0
    mapped: FeatureWeights | None = None

    def __post_init__(self) -> None:
        # a product's last bits depend on the memory order, and files hold rows one after another
        object.__setattr__(self, "matrix", np.ascontiguousarray(self.matrix))

    def read(self, queries: Any) -> FloatArray:
        """Return the values of queries: ``queries @ matrix + bias``, plus those of `mapped`.

        Parameters
        ----------
        queries : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n, m), float64

        Raises
        ------
        ValueError
            If the width or type is wrong, or a row holds NaN or inf.
        """
        rows = to_numpy(as_rows(queries, "queries", self.matrix.shape[0]))
        check_finite(rows, "queries")
        return self.values_of(rows)

    def values_of(self, rows: AnyArray) -> FloatArray:
        """Return the values (n, m) of validated queries (n, d), as `read` does."""
        rows = np.asarray(rows, dtype=np.float64)
        values: FloatArray = rows.dot(self.matrix)  # for one row, @ takes a tenth longer
        values += self.bias
        return values if self.mapped is None else values + self.mapped.read(rows)

    def scale(self, factor: float) -> FastWeights:
        """Return weights whose values are multiplied by a factor; `mapped` must be None."""
        return replace(self, matrix=factor * self.matrix, bias=factor * self.bias)

    def validate(self) -> None:
        """Raise ValueError if `mapped` does not fit the queries or the values."""
        mapped = self.mapped
        if mapped is None:
            return
        if len(mapped.bias) != len(self.bias):
            raise ValueError(
                f"weights of {len(self.bias)} values cannot be added to weights of "
                f"{len(mapped.bias)} values"
            )
        if len(mapped.features.centre) != len(self.matrix):
            raise ValueError(
                f"weights of {len(self.matrix)} columns cannot be added to weights of random "
                f"features of {len(mapped.features.centre)} columns"
            )
