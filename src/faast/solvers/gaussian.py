"""Gaussian classes that share one covariance: weights and exact leave-one-out scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import qr

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast._utils.blocks import BLOCK_ENTRIES, row_blocks
from faast._utils.floats import EPSILON, TINY
from faast.core.moments import Moments
from faast.core.sample import RowArrays
from faast.core.weights import FastWeights
from faast.solvers.frames import Frame, SpanFrame
from faast.solvers.triangular import Triangle

BLOCK_ROWS = 1024
"""Rows that are divided by a triangle at a time."""

ROUGH_ENOUGH = 2.0**-7
"""Float32 serves where it rounds log-likelihoods to this many nats or finer."""


class Metric(NamedTuple):
    """The matrix A = gain · S + floor · I; means are shrunk to the centre by kappa pseudo-rows."""

    gain: float
    floor: float
    kappa: float = 0.0


@dataclass(frozen=True, eq=False)
class GaussianClasses:
    """Class means and the scatter S they share, in the coordinates of a frame.

    S is the scatter within classes. With fewer than two rows per class on average there is little
    or none, and the scatter about the centre is used instead (`one_shot`).

    Attributes
    ----------
    counts : ndarray of shape (C,)
        Rows, or the sum of their weights.
    frame : Frame
        Centres rows and divides columns by their scale.
    scatter : ndarray of shape (r, r), float64 or float32
        S.
    means : ndarray of shape (C, r)
        Class means; zero for a class without rows.
    one_shot : bool
    """

    counts: FloatArray
    frame: Frame
    scatter: FloatArray
    means: FloatArray
    one_shot: bool

    @classmethod
    def from_moments(
        cls,
        moments: Moments,
        every_row: RowArrays | None = None,
        *,
        scale: FloatArray | None = None,
        balanced: bool = False,
        single: bool = False,
    ) -> GaussianClasses:
        """Summarise moments whose values are classes.

        Parameters
        ----------
        moments : Moments
        every_row : RowArrays, optional
            All rows, if they are kept: fewer than d of them are summarised in the space that they
            span.
        scale : ndarray of shape (d,), optional
            Divide columns by it; 1 by default.
        balanced : bool
            Centre at the mean of the class means, as if all classes had equally many rows.
        single : bool
            Factorise and solve in float32, in half the time.

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
        divisors = np.where(seen, counts, 1.0)[:, None]
        overall = moments.key_sum / max(count, TINY)
        means = moments.cross.T / divisors
        centre = means[seen].mean(axis=0) if balanced else overall
        one_shot = bool(count < 2 * np.count_nonzero(seen))
        if every_row is not None and len(every_row.keys) < moments.n_features:
            span = SpanFrame.spanned_by(every_row.keys, centre, scale)
            weights = every_row.weights[:, None]
            means = (weights * every_row.values).T @ span.own / divisors
            offsets = weights.T @ span.own / count
            within = span.own - (offsets if one_shot else means[every_row.values.argmax(axis=1)])
            within *= np.sqrt(weights)
            return cls(counts, span, within.T @ within, means, one_shot)
        scatter = moments.gram
        centres, heads = (overall[None], count) if one_shot else (means, counts)
        # differences of large sums may leave S with eigenvalues just below 0
        frame = Frame(centre, scale)
        rounding = len(scatter) * EPSILON * scatter.diagonal() / scale**2
        scatter -= (centres.T * heads) @ centres
        frame.divide(frame.divide(scatter).T)
        scatter[np.diag_indices(len(scatter))] += rounding.max()
        if (
            scatter.diagonal().min() < 0.0
        ):  # no rows have such sums: they are those of a forged file
            root = _root(scatter)
            scatter = root @ root.T
        means = frame.coordinates(means)
        means[~seen] = 0.0
        scatter = scatter.astype(np.float32) if single else scatter
        return cls(counts, frame, scatter, means, one_shot)

    @property
    def rows_per_class(self) -> float:
        """Mean number of rows, or of their weights, of the classes that have any."""
        return float(self.counts.sum() / np.count_nonzero(self.counts))

    @property
    def degrees(self) -> float:
        """Degrees of freedom of S, at least 1."""
        used = 1 if self.one_shot else np.count_nonzero(self.counts)
        return max(float(self.counts.sum()) - used, 1.0)

    @property
    def trace(self) -> float:
        """Sum of the eigenvalues of S."""
        return float(self.scatter.trace())

    def solve(self, metric: Metric) -> SolvedClasses:
        """Factorise A for a metric."""
        return SolvedClasses(self, metric, self._factorise(metric))

    def _factorise(self, metric: Metric) -> Triangle:
        A = metric.gain * self.scatter
        A[np.diag_indices(len(A))] += metric.floor
        try:
            return Triangle.of(A)
        except np.linalg.LinAlgError:  # no rows have such sums: a forged file, or much rounding
            root = _root(self.scatter, metric.gain, metric.floor)
            return Triangle(np.asarray(qr(root.T, mode="r")[0].T, dtype=np.float64))

    def left_out(self, rows: RowArrays) -> ClassesLeftOut:
        """Prepare leave-one-out scores of rows, which must be among the learned ones."""
        coordinates = self.frame.coordinates(rows.keys)
        return ClassesLeftOut(self, coordinates, rows.values.argmax(axis=1), rows.weights)


@dataclass(frozen=True, eq=False)
class SolvedClasses:
    """Gaussian classes with a metric A = L Lᵀ, factorised once.

    Attributes
    ----------
    classes : GaussianClasses
    metric : Metric
    triangle : Triangle
        L.
    """

    classes: GaussianClasses
    metric: Metric
    triangle: Triangle

    @cached_property
    def means(self) -> AnyArray:
        """L⁻¹m_c, shape (C, r): products of such vectors are those in A⁻¹."""
        is_single = self.triangle.is_single
        return self.rough_means if is_single else self.triangle.divide(self.classes.means)

    @cached_property
    def rough_means(self) -> AnyArray:
        """`means` in float32, in half the time; of strengths that are tried, no others are read."""
        with np.errstate(over="ignore", invalid="ignore"):  # then `precision` is float64
            return self.triangle.divide(self.classes.means.astype(np.float32))

    @property
    def precision(self) -> type[np.float32] | type[np.float64]:
        """Float32 if it tells scores, as log-likelihoods, apart; else float64."""
        means = self.rough_means
        furthest = float(np.einsum("ij,ij->i", means, means).max(initial=0.0))
        rounding = float(np.finfo(np.float32).eps) * furthest * self.classes.degrees
        return np.float32 if rounding * self.metric.gain < ROUGH_ENOUGH else np.float64

    def weights(self) -> FastWeights:
        """Return weights with scores -½ |x - centre - rho_c m_c|² in A⁻¹, up to a constant per row.

        rho_c = n_c / (n_c + kappa); w_c = rho_c A⁻¹ m_c, b_c = -½ rho_c² m_cᵀ A⁻¹ m_c. The
        condition is an estimate of that of A^½.
        """
        classes, counts = self.classes, self.classes.counts
        means = self.means * (counts / np.maximum(counts + self.metric.kappa, TINY))[:, None]
        lifted = classes.frame.lift(self.triangle.divide_transposed(means))
        matrix = classes.frame.divide(lifted).T
        between = float(counts @ (classes.means**2).sum(axis=1))
        within = max(classes.trace - between * classes.one_shot, 0.0)
        norm = self.metric.gain * float(np.linalg.norm(classes.scatter, 1)) + self.metric.floor
        return FastWeights(
            matrix=matrix,
            bias=-0.5 * (means**2).sum(axis=1) - classes.frame.centre @ matrix,
            rank=len(classes.scatter),
            condition=self.triangle.condition(norm) ** 0.5,
            explained=between / (between + within) if between + within > 0 else 0.0,
            strength=self.metric.floor,
        )


class _Means(NamedTuple):
    """Class means (C, r) that are divided by L, the same shrunk, and products of both (C, C)."""

    plain: AnyArray
    shrunk: AnyArray
    products: AnyArray | None

    def along(self, offsets: AnyArray, codes: IntArray, of_rows: AnyArray) -> AnyArray:
        """Return products of offsets (n, r) with shrunk means, given those of the rows, (n, C)."""
        if self.products is None:
            return offsets @ self.shrunk.T
        found = self.products[codes]
        return np.subtract(of_rows, found, out=found)


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
    coordinates : ndarray of shape (n, r)
        Of the rows, in the frame of the classes.
    codes : ndarray of shape (n,), int
        Class of each row.
    weights : ndarray of shape (n,)

    Attributes
    ----------
    leavable : ndarray of shape (n,), bool
        Whether the class of the row has other rows.
    """

    def __init__(
        self,
        classes: GaussianClasses,
        coordinates: FloatArray,
        codes: IntArray,
        weights: FloatArray,
    ) -> None:
        self.coordinates, self.codes, self.weights = coordinates, codes, weights
        self._classes = classes
        self._leaving = np.minimum(weights, 1.0)
        self._left = classes.counts[codes] - self._leaving
        self.leavable = self._left > 1e-9

    def split(self, n_rows: int) -> tuple[ClassesLeftOut, ClassesLeftOut]:
        """Return the same for the first rows, and for the others."""
        return self._part(slice(n_rows)), self._part(slice(n_rows, None))

    def scores(self, solved: SolvedClasses, dtype: type = np.float64) -> AnyArray:
        """Return -½ |z - rho_c m_c|² in A⁻¹ with each row left out, shape (n, C), of this dtype."""
        counts = self._classes.counts
        means = solved.rough_means if dtype is np.float32 else solved.means.astype(dtype)
        rho = counts / np.maximum(counts + solved.metric.kappa, TINY)
        shrunk = means * rho.astype(dtype)[:, None]
        scores: AnyArray = np.empty((len(self.codes), len(means)), dtype)
        # products of means with each other save a product per row, where rows outnumber classes
        between = means @ shrunk.T if len(self.codes) > len(means) else None
        for many in row_blocks(len(scores), BLOCK_ENTRIES // BLOCK_ROWS):
            part, found = self._part(many), scores[many]
            rows = solved.triangle.divide(part.coordinates.astype(dtype, copy=False))
            for block in row_blocks(*found.shape):
                some = part._part(block)
                some._score(solved, rows[block], _Means(means, shrunk, between), found[block])
        return scores

    def _part(self, rows: slice) -> ClassesLeftOut:
        return ClassesLeftOut(
            self._classes, self.coordinates[rows], self.codes[rows], self.weights[rows]
        )

    def _score(
        self, solved: SolvedClasses, rows: AnyArray, means: _Means, scores: AnyArray
    ) -> None:
        """Write scores (n, C) of rows and means that are divided by L, in their dtype."""
        classes, codes, own = self._classes, self.codes, (np.arange(len(self.codes)), self.codes)
        metric, dtype = solved.metric, scores.dtype
        n, left = classes.counts[codes], np.maximum(self._left, 0.0)
        t = np.where(self.leavable, self._leaving / np.maximum(left, TINY), 0.0)
        rho_own = left / np.maximum(left + metric.kappa, TINY)
        own_means = means.plain[codes]
        offsets = rows - own_means  # r
        D, q = np.einsum("ij,ij->i", rows, rows), np.einsum("ij,ij->i", offsets, offsets)
        rm = np.einsum("ij,ij->i", offsets, own_means)  # of r with the mean of the row's class
        rz, h_own = q + rm, np.einsum("ij,ij->i", own_means, own_means)
        np.matmul(rows, means.shrunk.T, out=scores)
        if not classes.one_shot:
            along = means.along(offsets, codes, scores)
            along -= rz[:, None]
            along[own] = rz - rho_own * (rm - t * q)
            along *= along
            a = metric.gain * n * t
            held = np.maximum(1.0 - a * q, 100.0 * np.finfo(dtype).eps)
            along *= (-0.5 * a / held).astype(dtype)[:, None]
        scores -= 0.5 * np.einsum("ij,ij->i", means.shrunk, means.shrunk)
        scores -= (0.5 * D).astype(dtype)[:, None]
        own_mean = h_own - 2.0 * t * rm + t**2 * q
        zm = h_own + rm
        scores[own] = rho_own * (zm - t * rz) - 0.5 * (D + rho_own**2 * own_mean)
        if not classes.one_shot:
            scores += along

    def self_products(self, solved: SolvedClasses) -> tuple[FloatArray, FloatArray]:
        """Return zᵀA⁻¹z, shape (n,), and zᵀA⁻¹m_c, shape (n, C), with no row left out."""
        rows = solved.triangle.divide(self.coordinates)
        return np.einsum("ij,ij->i", rows, rows), rows @ solved.means.T


def _root(matrix: FloatArray, gain: float = 1.0, floor: float = 0.0) -> FloatArray:
    """Return R with R Rᵀ = gain · S + floor · I, where S is a matrix with 0 for eigenvalues < 0."""
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(gain * np.maximum(values, 0.0) + floor)
