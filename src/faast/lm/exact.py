"""Pairs as exact moments, solved by the paper's pseudo-inverse."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from faast.moments import Moments
from faast.solvers import PseudoInverse

if TYPE_CHECKING:
    from faast._typing import FloatArray


@dataclass(frozen=True)
class ExactPairs:
    """Everything learned, as moments: any order and batching gives the same state.

    Attributes
    ----------
    moments : Moments
    alpha : float
        rtol = N**-alpha.
    """

    moments: Moments
    alpha: float

    @classmethod
    def empty(cls, alpha: float, key_scale: FloatArray, value_scale: FloatArray) -> ExactPairs:
        """Nothing learned; the grid's scales, one a column, are powers of two."""
        moments = Moments(len(key_scale), len(value_scale), key_scale, value_scale)
        return cls(moments, alpha)

    @property
    def count(self) -> float:
        """Pairs learned."""
        return self.moments.count

    @property
    def nbytes(self) -> int:
        """Bytes of the sums, which are 64-bit integers."""
        d, m = self.moments.n_features, self.moments.n_values
        return 8 * (d * d + d * m + d + 2 * m + 1)

    @cached_property
    def weights(self) -> Tensor:
        """W, shape (d, m), float32."""
        solved = PseudoInverse(self.alpha).solve(self.moments)
        return torch.from_numpy(solved.matrix).float()

    def learned(self, keys: Tensor, values: Tensor) -> ExactPairs:
        """Add pairs: keys (n, d), values (n, m)."""
        return ExactPairs(self.moments.copy().add(keys, values), self.alpha)

    def forgotten(self, keys: Tensor, values: Tensor) -> ExactPairs:
        """Take pairs back.

        Raises
        ------
        ValueError
            They cannot all have been learned.
        """
        return ExactPairs(self.moments.copy().subtract(keys, values), self.alpha)

    def merged(self, other: ExactPairs) -> ExactPairs:
        """Add everything another memory has learned."""
        return ExactPairs(self.moments + other.moments, self.alpha)
