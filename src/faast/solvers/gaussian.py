"""Gaussian classes that share one covariance: weights and exact leave-one-out scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from faast._utils.arrays import FloatArray, IntArray
from faast.core.moments import Moments
from faast.core.sample import RowArrays
from faast.core.weights import FastWeights
from faast.solvers.spectrum import above_noise

TINY = 1e-300


class Metric(NamedTuple):
    """The matrix A = gain · S + floor · I; means are shrunk to the centre by kappa pseudo-rows."""

    gain: float
    floor: float
    kappa: float = 0.0


@dataclass(frozen=True, eq=False)
class GaussianClasses:
    """Class means and the scatter S they share, in the eigenbasis of S.

    S is the scatter within classes. With fewer than two rows per class on average there is little
    or none, and the scatter about the centre is used instead (`one_shot`).

    Attributes
    ----------
    counts : ndarray of shape (C,)
        Rows, or the sum of their weights.
    centre : ndarray of shape (d,)
    eigenvalues : ndarray of shape (r,)
        Eigenvalues of S.
    basis : ndarray of shape (d, r)
        Eigenvectors of S; they span every centred mean.
    means : ndarray of shape (C, r)
        Class means less the centre, in the basis; zero for a class without rows.
    one_shot : bool
    scale : ndarray of shape (d,)
        Columns are divided by it before S and the means are computed.
    """

    counts: FloatArray
    centre: FloatArray
    eigenvalues: FloatArray
    basis: FloatArray
    means: FloatArray
    one_shot: bool
    scale: FloatArray

    @classmethod
    def from_moments(
        cls,
        moments: Moments,
        every_row: RowArrays | None = None,
        *,
        scale: FloatArray | None = None,
        balanced: bool = False,
    ) -> GaussianClasses:
        """Summarise moments whose values are classes.

        Parameters
        ----------
        moments : Moments
        every_row : RowArrays, optional
            All rows, if they are kept: with fewer than d of them, S is decomposed in the space that
            they span.
        scale : ndarray of shape (d,), optional
            Divide columns by it; 1 by default.
        balanced : bool
            Centre at the mean of the class means, as if all classes had equally many rows.

        Raises
        ------
        ValueError
            If values are not one-hot: a single 1 per row, and zeros elsewhere.
        """
        counts, count = moments.value_sum, moments.count
        is_class = np.allclose(counts, moments.value_square_sum) and np.all(counts >= 0)
        if not (is_class and np.isclose(counts.sum(), count)):
            raise ValueError(
                "Discriminant needs classes as values (one 1 in each row, zeros elsewhere); "
                "for other values use Ridge or PseudoInverse"
            )
        seen = counts > 0
        scale = np.ones(moments.n_features) if scale is None else scale
        means = np.where(seen, moments.cross / np.where(seen, counts, 1.0), 0.0).T
        overall = moments.key_sum / max(count, TINY)
        centre = means[seen].mean(axis=0) if balanced else overall
        one_shot = bool(count < 2 * np.count_nonzero(seen))
        if every_row is not None and len(every_row.keys) < moments.n_features:
            offsets = overall if one_shot else means[every_row.values.argmax(axis=1)]
            span, within = _span(every_row, centre, offsets, scale)
            scatter = within.T @ within
        else:
            span, scatter = None, moments.gram
            centres = overall[None, :] if one_shot else means
            scatter -= (centres.T * (count if one_shot else counts)) @ centres
            scatter /= np.outer(scale, scale)
        means[seen] = (means[seen] - centre) / scale
        eigenvalues, turn = np.linalg.eigh(scatter)
        basis = turn if span is None else span @ turn
        eigenvalues = np.maximum(eigenvalues, 0.0)
        return cls(counts, centre, eigenvalues, basis, means @ basis, one_shot, scale)

    @property
    def degrees(self) -> float:
        """Degrees of freedom of S, at least 1."""
        used = 1 if self.one_shot else np.count_nonzero(self.counts)
        return max(float(self.counts.sum()) - used, 1.0)

    def precision(self, metric: Metric) -> FloatArray:
        """Return A⁻¹ along the basis, shape (r,)."""
        return 1.0 / (metric.gain * self.eigenvalues + metric.floor)

    def weights(self, metric: Metric) -> FastWeights:
        """Return weights with scores -½ |x - centre - rho_c m_c|² in A⁻¹, up to a constant per row.

        rho_c = n_c / (n_c + kappa); w_c = rho_c A⁻¹ m_c, b_c = -½ rho_c² m_cᵀ A⁻¹ m_c.
        """
        precision = self.precision(metric)
        means = self.means * (self.counts / np.maximum(self.counts + metric.kappa, TINY))[:, None]
        matrix = self.basis @ (means * precision).T / self.scale[:, None]
        between = float(self.counts @ (self.means**2).sum(axis=1))
        within = max(float(self.eigenvalues.sum()) - between * self.one_shot, 0.0)
        w = self.eigenvalues[above_noise(self.eigenvalues, len(self.basis))]
        return FastWeights(
            matrix=matrix,
            bias=-0.5 * (means**2) @ precision - self.centre @ matrix,
            rank=len(w),
            condition=float(np.sqrt(w[0] / w[-1])) if len(w) else 1.0,
            explained=between / (between + within) if between + within > 0 else 0.0,
            strength=metric.floor,
        )

    def left_out(self, rows: RowArrays) -> ClassesLeftOut:
        """Prepare leave-one-out scores of rows, which must be among the learned ones."""
        return ClassesLeftOut(self, rows)


class ClassesLeftOut:
    """Exact leave-one-out scores of rows for every class, with any metric.

    A row of weight l leaves its class of weight n (one copy of a repeated row, all of a lighter
    one). With t = l / (n - l) and r = x - m, its offset from the class mean, S loses n t r rᵀ and
    the mean moves by -t r. With a = gain n t, q = rᵀA⁻¹r and the Sherman-Morrison formula

    |z - m_c|² becomes |z - m_c|² + a / (1 - a q) (rᵀA⁻¹(z - m_c))²,

    all from three products: zᵀA⁻¹z, zᵀA⁻¹m_c and m_bᵀA⁻¹m_c. The centre, kappa and the metric's
    gain and floor stay fixed. A class that loses its only row gets the centre as its mean.

    Parameters
    ----------
    classes : GaussianClasses
    rows : RowArrays

    Attributes
    ----------
    codes : ndarray of shape (n,), int
        Class of each row.
    leavable : ndarray of shape (n,), bool
        Whether the class of the row has other rows.
    """

    def __init__(self, classes: GaussianClasses, rows: RowArrays) -> None:
        self._classes = classes
        offsets = rows.keys - classes.centre
        offsets /= classes.scale
        self._rows = offsets @ classes.basis
        self.codes: IntArray = rows.values.argmax(axis=1)
        self._leaving = np.minimum(rows.weights, 1.0)
        self._left = classes.counts[self.codes] - self._leaving
        self.leavable = self._left > 1e-9

    def scores(self, metric: Metric) -> FloatArray:
        """Return -½ |z - rho_c m_c|² in A⁻¹ with each row left out, shape (n, C)."""
        classes, codes, every = self._classes, self.codes, np.arange(len(self.codes))
        precision, counts = classes.precision(metric), classes.counts
        scaled = classes.means * precision
        D = (self._rows**2) @ precision
        G = self._rows @ scaled.T
        H = classes.means @ scaled.T
        rho = counts / np.maximum(counts + metric.kappa, TINY)
        n, left = counts[codes], np.maximum(self._left, 0.0)
        t = np.where(self.leavable, self._leaving / np.maximum(left, TINY), 0.0)
        rho_own = left / np.maximum(left + metric.kappa, TINY)
        own, h = G[every, codes], np.diag(H)
        rz, rm = D - own, G - H[codes]
        q = rz - rm[every, codes]
        distances = D[:, None] - 2.0 * G * rho + h * rho**2
        own_mean = h[codes] - 2.0 * t * rm[every, codes] + t**2 * q
        distances[every, codes] = D - 2.0 * rho_own * (own - t * rz) + rho_own**2 * own_mean
        if not classes.one_shot:
            along = rz[:, None] - rm * rho
            along[every, codes] = rz - rho_own * (rm[every, codes] - t * q)
            a = metric.gain * n * t
            distances += (a / np.maximum(1.0 - a * q, 1e-12))[:, None] * along**2
        return -0.5 * distances

    def self_products(self, metric: Metric) -> tuple[FloatArray, FloatArray]:
        """Return zᵀA⁻¹z, shape (n,), and zᵀA⁻¹m_c, shape (n, C), with no row left out."""
        precision = self._classes.precision(metric)
        return (self._rows**2) @ precision, self._rows @ (self._classes.means * precision).T


def _span(
    rows: RowArrays, centre: FloatArray, offsets: FloatArray, scale: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return a basis (d, r) of the span of the rows, and in it the weighted rows minus offsets."""
    root = np.sqrt(rows.weights)[:, None]
    weighted = root * (rows.keys - centre) / scale
    span: FloatArray = np.linalg.qr(weighted.T)[0]
    return span, root * ((rows.keys - offsets) / scale) @ span


def walk_downhill(loss: Callable[[int], float], n: int) -> int:
    """Return the index of the minimum of a loss over 0..n-1 reached downhill from the middle."""
    losses: dict[int, float] = {}

    def at(index: int) -> float:
        if index not in losses:
            losses[index] = loss(index)
        return losses[index]

    place = n // 2
    at(place)
    for direction in (1, -1):
        start = place
        while 0 <= place + direction < n and at(place + direction) < at(place):
            place += direction
        if place != start:
            break
    return place
