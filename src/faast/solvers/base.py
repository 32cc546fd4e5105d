"""What a solver is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from faast._utils.arrays import FloatArray
from faast.core.moments import Moments
from faast.core.sample import RowSample
from faast.core.weights import FastWeights


class Solver(ABC):
    """Turns moments into fast weights; a frozen dataclass of its settings."""

    @abstractmethod
    def solve(self, moments: Moments, rows: RowSample | None = None) -> FastWeights:
        """Solve.

        Parameters
        ----------
        moments : Moments
        rows : RowSample, optional
            Rows that were kept: all of them while there are few, else a sample. With them a solver
            may work on the side of the rows (dual form) or leave one out.
        """

    @abstractmethod
    def loo_values(self, moments: Moments, rows: RowSample, weights: FastWeights) -> FloatArray:
        """Predict kept rows as if each had not been learned.

        Parameters
        ----------
        moments : Moments
        rows : RowSample
        weights : FastWeights
            What `solve` returned for them.

        Returns
        -------
        ndarray of shape (n, m), in the order of the kept rows
        """
