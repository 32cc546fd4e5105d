"""Decompose the keys once; weights and exact leave-one-out residuals follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faast._utils.arrays import FloatArray
from faast._utils.floats import EPSILON, TINY
from faast.core.moments import Moments
from faast.core.sample import RowArrays
from faast.core.statistics import Statistics
from faast.core.weights import FastWeights
from faast.solvers.leverage import Leverage


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Keys decomposed as ``K = U diag(sqrt(w)) Qᵀ``, values projected on it.

    Attributes
    ----------
    eigenvalues : ndarray of shape (r,)
        w, descending: squared singular values of the keys that rise above rounding noise.
    basis : ndarray of shape (d, r)
        Q.
    projections : ndarray of shape (r, m)
        Z = Qᵀ Kᵀ V.
    key_mean : ndarray of shape (d,)
        Subtracted from the keys; zeros if they were not centred.
    value_mean : ndarray of shape (m,)
    value_square_sum : ndarray of shape (m,)
        Sum of squares of the (centred) values.
    count : float
        Number of rows, or the sum of their weights.
    centred : bool
        Whether the means were subtracted.
    """

    eigenvalues: FloatArray
    basis: FloatArray
    projections: FloatArray
    key_mean: FloatArray
    value_mean: FloatArray
    value_square_sum: FloatArray
    count: float
    centred: bool

    @property
    def explained_squares(self) -> FloatArray:
        """Sum of squares of the values that each direction explains, a_i = |z_i|² / w_i: (r,)."""
        return np.einsum("ij,ij->i", self.projections, self.projections) / self.eigenvalues

    def weights(
        self, gains: FloatArray, kept: int | None = None, strength: float = 0.0
    ) -> FastWeights:
        """Return fast weights for a filter of the directions.

        Parameters
        ----------
        gains : ndarray of shape (r,)
            Filter g: W = Q diag(g) Z. A ridge has 1 / (w + strength), a pseudo-inverse 1 / w or 0.
        kept : int, optional
            Number of directions kept, for the diagnostics; all by default.
        strength : float
            Regularisation to report in the result.
        """
        rank = len(self.eigenvalues) if kept is None else kept
        matrix = self.basis @ (gains[:, None] * self.projections)
        shrunk = gains * self.eigenvalues
        total = float(self.value_square_sum.sum())
        explained = float((self.explained_squares * (1.0 - (1.0 - shrunk) ** 2)).sum())
        condition = np.sqrt(self.eigenvalues[0] / self.eigenvalues[rank - 1]) if rank else 1.0
        return FastWeights(
            matrix=matrix,
            bias=self.value_mean - self.key_mean @ matrix,
            rank=rank,
            condition=float(condition),
            explained=float(np.clip(explained / total, 0.0, 1.0)) if total > 0 else 0.0,
            strength=strength,
        )

    def leverage(self, gains: FloatArray, outside: float) -> Leverage:
        """Return the leverage of rows in the fit with a filter.

        Parameters
        ----------
        gains : ndarray of shape (r,)
            See `weights`.
        outside : float
            The gain of directions that no row spans.
        """
        basis = np.ascontiguousarray(self.basis, dtype=np.float32)
        base = 1.0 / self.count if self.centred else 0.0
        return Leverage(self.key_mean, basis, gains, outside, base)


def decompose(statistics: Statistics, centred: bool) -> Spectrum:
    """Decompose the second moments of the keys in the smaller of two equivalent forms.

    The dual (n x n) is used while every row is kept and there are at most d / 2 of them; for few
    rows it is about ten times faster. Otherwise the primal (d x d) is used.

    Parameters
    ----------
    statistics : Statistics
    centred : bool
        Subtract the means first (a model with intercept).
    """
    rows = statistics.rows
    if rows.complete and 2 * len(rows) <= statistics.moments.n_features:
        return _dual(statistics.sampled_rows(), centred)
    return _primal(statistics.moments, centred)


def _primal(moments: Moments, centred: bool) -> Spectrum:
    """Decompose the Gram matrix (d, d) of the keys."""
    count = moments.count
    gram, cross = moments.gram, moments.cross
    key_mean, value_mean = np.zeros(moments.n_features), np.zeros(moments.n_values)
    value_squares = moments.value_square_sum
    if centred and count > 0:
        # G - s sᵀ / N from exact sums (scatter): never from a running mean
        key_mean, value_mean = moments.key_sum / count, moments.value_sum / count
        gram -= np.outer(moments.key_sum, key_mean)
        cross -= np.outer(moments.key_sum, value_mean)
        value_squares = value_squares - moments.value_sum * value_mean
    eigenvalues, basis = np.linalg.eigh(gram)
    kept = above_noise(eigenvalues, moments.n_features)
    eigenvalues, basis = eigenvalues[kept], basis[:, kept]
    return Spectrum(
        eigenvalues,
        basis,
        basis.T @ cross,
        key_mean,
        value_mean,
        np.maximum(value_squares, 0.0),
        count,
        centred,
    )


def _dual(rows: RowArrays, centred: bool) -> Spectrum:
    """Decompose the products of rows with each other, each row scaled by the root of its weight."""
    keys, values, weights = rows
    count = float(weights.sum())
    key_mean, value_mean = np.zeros(keys.shape[1]), np.zeros(values.shape[1])
    if centred and count > 0:
        key_mean, value_mean = weights @ keys / count, weights @ values / count
        keys, values = keys - key_mean, values - value_mean
    root = np.sqrt(weights)[:, None]
    keys, values = root * keys, root * values
    eigenvalues, left = np.linalg.eigh(keys @ keys.T)
    kept = above_noise(eigenvalues, len(keys))
    eigenvalues, left = eigenvalues[kept], left[:, kept]
    singular = np.sqrt(eigenvalues)
    return Spectrum(
        eigenvalues,
        (keys.T @ left) / singular,
        singular[:, None] * (left.T @ values),
        key_mean,
        value_mean,
        np.einsum("ij,ij->j", values, values),
        count,
        centred,
    )


def above_noise(eigenvalues: FloatArray, size: int) -> slice:
    """Return a slice that takes ascending eigenvalues above rounding noise, largest first."""
    noise = eigenvalues[-1] * size * EPSILON if len(eigenvalues) else 0.0
    first = int(np.searchsorted(eigenvalues, max(noise, 0.0), side="right"))
    return slice(None, first - len(eigenvalues) - 1 if first else None, -1)


class LeaveOneOut:
    """Computes the residual of each row when that row is left out of the fit.

    With U = (K - mean) Q / sqrt(w) and a filter that keeps the share s_i = 1 - f_i of direction i,
    the leave-one-out residual is e / (1 - h) (Allen 1974, PRESS), where

    - 1 - h = rest + U² f, rest = 1 - 1/N (centred) - sum U²,
    - e = beyond + U (f Z / sqrt(w)), beyond = V - mean - U Z / sqrt(w).

    `rest` and `beyond` vanish where the decomposition has full rank N - 1 (N where not centred);
    setting them there keeps the digits that the textbook form (v - v̂) / (1 - h) loses.
    For ridge this is exact; for a hard spectral cut the choice of directions stays fixed.

    Parameters
    ----------
    spectrum : Spectrum
    rows : RowArrays
        All rows of the decomposition, or a sample of them. One copy of a row of weight above 1
        (repetitions) is left out; a lighter row is left out as a whole.
    """

    def __init__(self, spectrum: Spectrum, rows: RowArrays) -> None:
        w, count = spectrum.eigenvalues, spectrum.count
        root = np.sqrt(w)
        centred = rows.keys - spectrum.key_mean
        self._scores = centred @ (spectrum.basis / root)
        self._fitted = spectrum.projections / root[:, None]
        self._squares = self._scores**2
        self._leaving = np.minimum(rows.weights, 1.0)
        self._beyond = rows.values - spectrum.value_mean - self._scores @ self._fitted
        self._rest = 1.0 - self._leaving * (
            spectrum.centred / max(count, TINY) + self._squares.sum(axis=1)
        )
        everything_fits = len(rows.keys) == len(w) + spectrum.centred
        if everything_fits and np.isclose(rows.weights.sum(), count):
            self._beyond[:], self._rest = 0.0, 1.0 - self._leaving / rows.weights
        self.values, self.weights = rows.values, rows.weights

    def residuals(self, removed: FloatArray) -> FloatArray:
        """Return v minus the prediction of the fit without the row.

        Parameters
        ----------
        removed : ndarray of shape (r,)
            f: the share of each direction that the filter removes.

        Returns
        -------
        ndarray of shape (n, m)
        """
        errors = self._beyond + self._scores @ (removed[:, None] * self._fitted)
        return errors / np.maximum(self.remaining(removed), TINY)[:, None]

    def remaining(self, removed: FloatArray) -> FloatArray:
        """Return 1 - h of each row, (n,), for the same filter."""
        return np.maximum(self._rest, 0.0) + self._leaving * (self._squares @ removed)

    def predictions(self, removed: FloatArray) -> FloatArray:
        """Return the leave-one-out prediction of each row, shape (n, m)."""
        return self.values - self.residuals(removed)

    def mean_squared_error(self, removed: FloatArray, importance: FloatArray) -> float:
        """Return the weighted mean over rows of squared residuals, summed over columns.

        Parameters
        ----------
        removed : ndarray of shape (r,)
            See `residuals`.
        importance : ndarray of shape (m,)
            Multiplies the squares of each column.
        """
        squares = np.square(self.residuals(removed)) @ importance
        return float(self.weights @ squares / self.weights.sum())
