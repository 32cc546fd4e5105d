"""Tail probabilities: how rarely a row that was learned looks so strange when it is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from faast._typing import FloatArray
from faast.state import State

FAR = 0.05
"""Share of the rows beyond which the tail is taken to be exponential."""


@dataclass(frozen=True, eq=False)
class Tail:
    """Upper tail of a statistic T over rows that were left out.

    Attributes
    ----------
    values : ndarray of shape (n,)
        T of the rows, ascending; n > 0.
    beyond : ndarray of shape (n + 1,)
        Weight of the rows from each place on.
    """

    values: FloatArray
    beyond: FloatArray

    @classmethod
    def of(cls, values: FloatArray, weights: FloatArray) -> Self:
        """Sort values, shape (n,), of rows with weights."""
        order = np.argsort(values, kind="stable")
        return cls(values[order], np.append(np.cumsum(weights[order][::-1])[::-1], 0.0))

    def p_values(self, values: FloatArray) -> FloatArray:
        """Return P(T >= t) for each t by counting, t itself among the rows: never zero."""
        beyond = self.beyond[np.searchsorted(self.values, values, side="left")]
        return (beyond + 1.0) / (self.beyond[0] + 1.0)

    def surprise(self, values: FloatArray) -> FloatArray:
        """Return -log P(T >= t), growing without bound.

        Counts would tie all that lies past the last row. Past the 95th percentile the excess is
        taken to be exponential with the mean excess of the rows themselves (peaks over a threshold,
        Pickands 1975, with shape 0).
        """
        cut = self.values[np.flatnonzero(self.beyond[:-1] >= FAR * self.beyond[0])[-1]]
        past = self.values > cut
        weights, excess = -np.diff(self.beyond)[past], self.values[past] - cut
        mean = float(weights @ excess / weights.sum()) if past.any() else float(np.std(self.values))
        far = -np.log(FAR) + (values - cut) / (mean or 1.0)
        return np.where(values > cut, far, -np.log(self.p_values(values)))

    def to_state(self) -> State:
        """Return what a file keeps."""
        return State({"values": self.values, "beyond": self.beyond}, {})

    @classmethod
    def from_state(cls, state: State) -> Tail:
        """Restore what `to_state` returned."""
        return cls(**state.tensors)
