"""Recursive least squares: the inverse itself is the state, for comparison only."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray


class RecursiveLeastSquares:
    """Ridge weights updated with every block of rows, in one precision.

    With P the inverse of (Gram + λI), a block of keys K with values V gives

        P ← P − P Kᵀ (I + K P Kᵀ)⁻¹ K P,    W ← W + P Kᵀ (V − K W),

    which is exact in real arithmetic. Rounding errors of P are never corrected, unlike those of
    sums that are solved again.

    Parameters
    ----------
    strength : float
        λ.
    dtype : dtype
        float32, as analytic continual learning is usually run.

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
        """Learn a block: keys of shape (n, d), values of shape (n, m)."""
        rows, goals = keys.astype(self.dtype), values.astype(self.dtype)
        if self._inverse is None:
            self._inverse = np.eye(rows.shape[1], dtype=self.dtype) / self.dtype.type(self.strength)
            self.matrix = np.zeros((rows.shape[1], goals.shape[1]), dtype=self.dtype)
        seen = rows @ self._inverse
        inner = np.eye(len(rows), dtype=self.dtype) + seen @ rows.T
        self._inverse = self._inverse - seen.T @ np.linalg.solve(inner, seen)
        self.matrix = self.matrix + self._inverse @ rows.T @ (goals - rows @ self.matrix)
        return self

    def read(self, queries: FloatArray) -> AnyArray:
        """Read queries of shape (n, d): ndarray of shape (n, m)."""
        return queries.astype(self.dtype) @ self.matrix
