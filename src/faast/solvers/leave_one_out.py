"""Exact leave-one-out residuals of every linear filter, from one decomposition."""

from __future__ import annotations

import numpy as np

from faast._typing import FloatArray
from faast.rows import RowArrays
from faast.solvers.spectrum import Spectrum

TINY = 1e-300


class LeaveOneOut:
    """Residuals of rows when each is left out of the fit.

    With U = (K - mean) Q / sqrt(w) and a filter that keeps the share s_i = 1 - f_i of direction i,
    the leave-one-out residual is e / (1 - h) (Allen 1974, PRESS), where

    - 1 - h = rest + U² f, rest = 1 - 1/N (centred) - sum U²,
    - e = beyond + U (f Z / sqrt(w)), beyond = V - mean - U Z / sqrt(w).

    `rest` and `beyond` vanish where the decomposition has full rank N - 1 (N where not centred);
    setting them there keeps the digits that the textbook form (v - v̂) / (1 - h) loses.
    For ridge this is exact; for a hard spectral cut it holds the cut directions fixed.

    Parameters
    ----------
    decomposed : Spectrum
    rows : RowArrays
        All rows of the decomposition, or a sample of them. Of a row of weight above 1 (repeated)
        one copy is left out, of a lighter one all.
    """

    def __init__(self, decomposed: Spectrum, rows: RowArrays) -> None:
        w, count = decomposed.eigenvalues, decomposed.count
        root = np.sqrt(w)
        centred = rows.keys - decomposed.key_mean
        self._scores = centred @ (decomposed.basis / root)
        self._fitted = decomposed.projections / root[:, None]
        self._squares = self._scores**2
        self._leaving = np.minimum(rows.weights, 1.0)
        self._beyond = rows.values - decomposed.value_mean - self._scores @ self._fitted
        self._rest = 1.0 - self._leaving * (
            decomposed.centred / max(count, TINY) + self._squares.sum(axis=1)
        )
        everything_fits = len(rows.keys) == len(w) + decomposed.centred
        if everything_fits and np.isclose(rows.weights.sum(), count):
            self._beyond[:], self._rest = 0.0, 1.0 - self._leaving / rows.weights
        self.values, self.weights = rows.values, rows.weights

    def residuals(self, removed: FloatArray) -> FloatArray:
        """Return v minus the prediction without the row.

        Parameters
        ----------
        removed : ndarray of shape (r,)
            f: the share of each direction that the filter removes.

        Returns
        -------
        ndarray of shape (n, m)
        """
        left = np.maximum(self._rest, 0.0) + self._leaving * (self._squares @ removed)
        errors = self._beyond + self._scores @ (removed[:, None] * self._fitted)
        return errors / np.maximum(left, TINY)[:, None]

    def predictions(self, removed: FloatArray) -> FloatArray:
        """Return the prediction for each row without it, shape (n, m)."""
        return self.values - self.residuals(removed)

    def mean_squared_error(self, removed: FloatArray) -> float:
        """Weighted mean over rows of the squared residual, summed over columns."""
        squares = np.square(self.residuals(removed)).sum(axis=1)
        return float(self.weights @ squares / self.weights.sum())
