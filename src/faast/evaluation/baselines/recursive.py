"""Recursive least squares, an incremental rival that stores an inverse instead of sums."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray


class RecursiveLeastSquares:
    """Ridge weights that are updated with every block of rows, in one precision.

    With P the inverse of (Gram + λI), a block of keys K with targets V updates

        P ← P − P Kᵀ (I + K P Kᵀ)⁻¹ K P,    W ← W + P Kᵀ (V − K W).

    This is exact in real arithmetic. In floating point, the rounding errors of P accumulate: they
    are never corrected, while a solver that starts from sums starts afresh each time.

    Parameters
    ----------
    strength : float
        λ, positive.
    dtype : dtype
        Of P and W. The default float32 is usual in analytic continual learning.

    Attributes
    ----------
    matrix : ndarray of shape (n_features, n_outputs)
        W; exists once a block was learned.

    Raises
    ------
    ValueError
        If `strength` is not positive.

    References
    ----------
    Plackett, Some theorems in least squares, Biometrika 37 (1950).
    """

    def __init__(self, strength: float = 1.0, dtype: Any = np.float32) -> None:
        if not strength > 0:
            raise ValueError(f"strength must be positive, got {strength}")
        self.strength, self.dtype = strength, np.dtype(dtype)
        self._inverse: AnyArray | None = None

    def learn(self, keys: FloatArray, values: FloatArray) -> Self:
        """Learn a block of rows.

        Parameters
        ----------
        keys : ndarray of shape (n, n_features)
        values : ndarray of shape (n, n_outputs)
            Targets.
        """
        rows, targets = keys.astype(self.dtype), values.astype(self.dtype)
        if self._inverse is None:
            self._inverse = np.eye(rows.shape[1], dtype=self.dtype) / self.dtype.type(self.strength)
            self.matrix = np.zeros((rows.shape[1], targets.shape[1]), dtype=self.dtype)
        projected = rows @ self._inverse
        inner = np.eye(len(rows), dtype=self.dtype) + projected @ rows.T
        self._inverse = self._inverse - projected.T @ np.linalg.solve(inner, projected)
        self.matrix = self.matrix + self._inverse @ rows.T @ (targets - rows @ self.matrix)
        return self

    def read(self, queries: FloatArray) -> AnyArray:
        """Multiply queries of shape (n, n_features) by the weights: (n, n_outputs)."""
        return queries.astype(self.dtype) @ self.matrix
