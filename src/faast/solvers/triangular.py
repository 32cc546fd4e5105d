"""Cholesky factors of symmetric matrices, and products of rows in their inverses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg.blas import dtrsm, strsm
from scipy.linalg.lapack import dpocon, dpotrf, spocon, spotrf

from faast._utils.arrays import AnyArray
from faast._utils.floats import TINY


@dataclass(frozen=True, eq=False)
class Triangle:
    """A lower triangular matrix L (r, r), float64 or float32.

    LAPACK sees C-ordered arrays as their transposes.
    """

    lower: AnyArray

    @classmethod
    def of(cls, matrix: AnyArray) -> Triangle:
        """Factorise a positive definite matrix as L Lᵀ; its array becomes L.

        Raises
        ------
        numpy.linalg.LinAlgError
            If it is not positive definite.
        """
        if not matrix.size:
            return cls(matrix)
        factorise = spotrf if cls(matrix).is_single else dpotrf
        upper, info = factorise(matrix.T, lower=0, clean=0, overwrite_a=1)
        if info:
            raise np.linalg.LinAlgError("the matrix is not positive definite")
        return cls(upper.T)

    @property
    def is_single(self) -> bool:
        """Whether the matrix is float32."""
        return self.lower.dtype == np.float32

    def divide(self, rows: AnyArray) -> AnyArray:
        """Return rows L⁻ᵀ for rows (n, r): their products are those of the rows in (L Lᵀ)⁻¹.

        Rows of float32, and all rows where L is float32, are divided in float32.
        """
        return self._solve(rows, transposed=1)

    def divide_transposed(self, rows: AnyArray) -> AnyArray:
        """Return rows L⁻¹ for rows (n, r)."""
        return self._solve(rows, transposed=0)

    def condition(self, norm: float) -> float:
        """Estimate the condition of L Lᵀ, whose largest column sum of absolute entries is known."""
        if not self.lower.size:
            return 1.0
        estimate = spocon if self.is_single else dpocon
        reciprocal = float(estimate(self.lower.T, norm, uplo="U")[0])  # 0 where it is too small
        return 1.0 / max(reciprocal, TINY)

    @cached_property
    def _rough(self) -> AnyArray:
        return self.lower.astype(np.float32, copy=False)

    def _solve(self, rows: AnyArray, transposed: int) -> AnyArray:
        if not rows.size:
            return rows.copy()
        if self.is_single or rows.dtype == np.float32:
            rough: AnyArray = strsm(1.0, self._rough.T, rows.T, lower=0, trans_a=transposed)
            return rough.T
        solved: AnyArray = dtrsm(1.0, self.lower.T, rows.T, lower=0, trans_a=transposed)
        return solved.T
