"""Novelty: score how unusual a row is, from three leave-one-out tail probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple, Self

import numpy as np
from scipy.special import logsumexp

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.floats import TINY
from faast.core.moments import Moments
from faast.core.row_weights import ROUNDING
from faast.core.sample import RowArrays
from faast.core.state import Array, Range, Stored
from faast.core.statistics import Statistics
from faast.solvers.columns import column_deviations
from faast.solvers.gaussian import GaussianClasses, Metric

STRENGTH = 0.1
"""λ of `FeatureGeometry`, in mean eigenvalues of S_t."""

TAIL = 0.05
"""Share of the largest values that a survival function models as exponential."""

FEW_ROWS = 128
"""So few rows are left out of everything one by one, if they have more columns."""

PARTS = 10
"""More rows, up to the number of columns, are left out in so many parts."""


@dataclass(frozen=True, eq=False)
class SurvivalFunction(Stored):
    """The probability P(T >= t) of a statistic T over the learned rows, each left out.

    Attributes
    ----------
    values : ndarray of shape (n,)
        T of the rows, ascending; n > 0.
    beyond : ndarray of shape (n + 1,)
        Total weight of the rows from each index on; the last is 0.
    """

    values: Annotated[FloatArray, Array("n")]
    beyond: Annotated[FloatArray, Array("n + 1", minimum=0.0)]

    @classmethod
    def from_values(cls, values: FloatArray, weights: FloatArray) -> Self:
        """Build the function from the values (n,) of rows and their weights (n,)."""
        order = np.argsort(values, kind="stable")
        return cls(values[order], np.append(np.cumsum(weights[order][::-1])[::-1], 0.0))

    def p_values(self, values: FloatArray) -> FloatArray:
        """Return P(T >= t) for each t, (n,), by counting; t itself counts, so it is never zero."""
        beyond = self.beyond[np.searchsorted(self.values, values, side="left")]
        return (beyond + 1.0) / (self.beyond[0] + 1.0)

    def surprise(self, values: FloatArray) -> FloatArray:
        """Return -log P(T >= t) for each t, (n,); it grows without bound.

        Counting would give all values above the largest row the same score. Above the 95th
        percentile the excess is therefore modelled as exponential, with the mean excess of the rows
        (peaks over a threshold, Pickands 1975, with shape 0).
        """
        cut = self.values[np.flatnonzero(self.beyond[:-1] >= TAIL * self.beyond[0])[-1]]
        past = self.values > cut
        weights, excess = -np.diff(self.beyond)[past], self.values[past] - cut
        mean = float(weights @ excess / weights.sum()) if past.any() else float(np.std(self.values))
        far = -np.log(TAIL) + (values - cut) / (mean or 1.0)
        return np.where(values > cut, far, -np.log(self.p_values(values)))

    def validate(self) -> None:
        """Raise ValueError if the values are not sorted or the weights do not fall."""
        n = len(self.values)
        if not n or len(self.beyond) != n + 1 or self.beyond[-1] != 0.0:
            raise ValueError("a survival function needs n > 0 values and n + 1 weights, the last 0")
        if np.any(np.diff(self.values) < 0) or np.any(np.diff(self.beyond) >= 0):
            raise ValueError("values of a survival function must rise and its weights fall")


class Position(NamedTuple):
    """Leverage and squared Mahalanobis distance from the nearest class of rows, (n,) each."""

    leverage: FloatArray
    distance: FloatArray


@dataclass(frozen=True, eq=False)
class FeatureGeometry(Stored):
    r"""Computes leverages and Mahalanobis distances of rows from moments with one-hot values.

    With z = (x - centre) / scale, S_t the scatter about the centre, S_w the scatter within classes
    of means m_c:

    h(x) = zᵀ(S_t + λI)⁻¹z,    distance(x) = min_c (z - m_c)ᵀ(S_w + λI)⁻¹(z - m_c).

    One rotation serves both, as S_t = S_w + M D Mᵀ with the class means M and their counts D. With
    A = S_w + λI, H = MᵀA⁻¹M and g = MᵀA⁻¹z, Woodbury's identity gives

    h = zᵀA⁻¹z - gᵀ B g,    B = √D (I + √D H √D)⁻¹ √D.

    Directions that no learned row spans have the metric λ, as a query may have a part there.

    Attributes
    ----------
    centre, scale : ndarray of shape (d,)
        Columns of z have unit variance.
    shrinkage : ndarray of shape (d, r)
        A⁻¹ = (I - shrinkage shrinkageᵀ) / λ.
    weights : ndarray of shape (d, C)
        A⁻¹M, for the C classes that have rows.
    squares : ndarray of shape (C,)
        Diagonal of H.
    between : ndarray of shape (C, C)
        B; zeros with fewer than two rows per class, where S_t stands for S_w.
    floor : float
        λ.
    """

    centre: Annotated[FloatArray, Array("d")]
    scale: Annotated[FloatArray, Array("d", minimum=0.0)]
    shrinkage: Annotated[FloatArray, Array("d", "r")]
    weights: Annotated[FloatArray, Array("d", "classes")]
    squares: Annotated[FloatArray, Array("classes")]
    between: Annotated[FloatArray, Array("classes", "classes")]
    floor: Annotated[float, Range(TINY)]

    @classmethod
    def from_statistics(cls, statistics: Statistics) -> tuple[Self, Position]:
        """Return the geometry, and the position of each sampled row when it is left out.

        By the Sherman-Morrison formula h becomes h / (1 - h); for distances see `ClassesLeftOut`.
        This leaves a row out of all but the scales of columns and λ. Fewer rows than columns
        determine these too closely, so that parts of the rows are left out of everything.
        """
        moments, rows = statistics.moments, statistics.sampled_rows()
        every_row = rows if statistics.rows.complete else None
        classes, geometry = cls._measure(moments, every_row)
        if every_row is not None and 1 < len(rows.keys) < moments.n_features:
            return geometry, cls._leave_out_parts(moments, rows)
        leverage = geometry.locate(rows.keys).leverage
        remaining = np.maximum(1.0 - np.minimum(rows.weights, 1.0) * leverage, 1e-9)
        scores = classes.left_out(rows).scores(classes.solve(Metric(1.0, geometry.floor)))
        distance = -2.0 * scores[:, classes.counts > 0].max(axis=1)
        return geometry, Position(leverage / remaining, distance)

    @classmethod
    def _leave_out_parts(cls, moments: Moments, rows: RowArrays) -> Position:
        """Return the position of each row by the geometry of all rows but its part.

        Rows are sorted by hash, so that the parts do not depend on the order of learning.
        """
        n_rows = len(rows.keys)
        n_parts = n_rows if n_rows <= FEW_ROWS else PARTS
        position = Position(np.empty(n_rows), np.empty(n_rows))
        for part in range(n_parts):
            out = np.arange(n_rows) % n_parts == part
            left = np.where(out, np.minimum(rows.weights, 1.0), 0.0)
            rest = moments.copy().subtract(rows.keys[out], rows.values[out], left[out])
            kept = rows.weights - left > ROUNDING
            others = RowArrays(rows.keys[kept], rows.values[kept], (rows.weights - left)[kept])
            found = cls._measure(rest, others)[1].locate(rows.keys[out])
            position.leverage[out], position.distance[out] = found
        return position

    @classmethod
    def _measure(
        cls, moments: Moments, every_row: RowArrays | None
    ) -> tuple[GaussianClasses, Self]:
        scale = column_deviations(moments)
        scale[scale == 0.0] = 1.0
        classes = GaussianClasses.from_moments(moments, every_row, scale=scale)
        seen = classes.counts > 0
        means, root = classes.means[seen], np.sqrt(classes.counts[seen])
        trace = classes.trace
        if not classes.one_shot:
            trace += ((root[:, None] * means) ** 2).sum()
        floor = max(STRENGTH * float(trace) / moments.n_features, TINY)
        eigenvalues, basis = np.linalg.eigh(classes.scatter)
        precision = 1.0 / (np.maximum(eigenvalues, 0.0) + floor)
        rotated = means @ basis
        products = (rotated * precision) @ rotated.T
        between = np.zeros_like(products)
        if not classes.one_shot:
            inner = np.eye(len(root)) + root[:, None] * products * root
            between = root[:, None] * np.linalg.inv(inner) * root
        return classes, cls(
            centre=classes.frame.centre,
            scale=scale,
            shrinkage=classes.frame.lift((basis * np.sqrt(1.0 - precision * floor)).T).T,
            weights=np.ascontiguousarray(classes.frame.lift(rotated * precision @ basis.T).T),
            squares=products.diagonal().copy(),
            between=between,
            floor=floor,
        )

    def locate(self, X: AnyArray) -> Position:
        """Return the position of rows of shape (n, d); infinite where squares overflow."""
        with np.errstate(over="ignore", invalid="ignore"):
            Z = (np.asarray(X, dtype=np.float64) - self.centre) / self.scale
            G = Z @ self.weights
            along = Z @ self.shrinkage
            squares = (np.einsum("ij,ij->i", Z, Z) - (along**2).sum(axis=1)) / self.floor
            leverage = squares - np.einsum("ij,ij->i", G @ self.between, G)
            distance = squares + (self.squares - 2.0 * G).min(axis=1)
        return Position(*(np.where(np.isnan(t), np.inf, t.clip(0.0)) for t in (leverage, distance)))

    def validate(self) -> None:
        """Raise ValueError if no class has rows or a column has no positive scale."""
        if not len(self.squares) or not np.all(self.scale > 0):
            raise ValueError("a feature geometry needs a class, and a positive scale per column")


@dataclass(frozen=True, eq=False)
class Novelty(Stored):
    """Scores rows by how rarely a left-out learned row has statistics as extreme.

    There are three statistics, each of which finds what the others miss:

    - doubt, -max_c log p_c(x): unseen classes that lie between known ones;
    - far doubt, the same at temperature 1 + h(x) / median h: the variance of a linear score at x is
      σ²(1 + h), so the softmax of a row far from all others should be flatter;
    - the Mahalanobis distance from the nearest class: other domains (Lee et al., NeurIPS 2018).

    Each statistic t is converted to -log P(T >= t), with T over the sampled rows, each left out.
    The sum of the three is Fisher's statistic (1925). They are not independent, so the p-value of a
    score is not that of a χ² distribution but the share of left-out rows that score as high.

    Attributes
    ----------
    geometry : FeatureGeometry
    median_leverage : float
        Median leverage of the sampled rows, each left out.
    doubt, far_doubt, distance : SurvivalFunction
        Survival functions of the three statistics.
    total : SurvivalFunction
        Survival function of the score.
    """

    geometry: FeatureGeometry
    median_leverage: Annotated[float, Range(TINY)]
    doubt: SurvivalFunction
    far_doubt: SurvivalFunction
    distance: SurvivalFunction
    total: SurvivalFunction

    @classmethod
    def from_statistics(cls, statistics: Statistics, loo_logits: FloatArray) -> Self:
        """Build the scorer from the learned rows.

        Parameters
        ----------
        statistics : Statistics
            Values are one-hot; at least one row is sampled.
        loo_logits : ndarray of shape (n, C)
            Leave-one-out log-probabilities of the sampled rows, up to a constant per row.
        """
        geometry, position = FeatureGeometry.from_statistics(statistics)
        median_leverage = float(np.median(position.leverage)) or 1.0
        logits = loo_logits.astype(np.float64, copy=False)
        measured = _statistics(logits, position, median_leverage)
        weights = statistics.rows.weights
        tails = [SurvivalFunction.from_values(t, weights) for t in measured]
        total = np.sum([tail.surprise(t) for tail, t in zip(tails, measured, strict=True)], axis=0)
        tails.append(SurvivalFunction.from_values(total, weights))
        return cls(geometry, median_leverage, *tails)

    def p_values(self, X: AnyArray, logits: FloatArray) -> FloatArray:
        """Return how often a left-out row scores as high as each row, (n,); see `score`.

        n left-out rows tell of no share below 1 / (n + 1).
        """
        return self.total.p_values(self.score(X, logits))

    def score(self, X: AnyArray, logits: FloatArray) -> FloatArray:
        """Return scores (n,) of rows (n, d) with log-probabilities (n, C); larger is more novel."""
        measured = _statistics(logits, self.geometry.locate(X), self.median_leverage)
        pairs = zip((self.doubt, self.far_doubt, self.distance), measured, strict=True)
        return np.sum([tail.surprise(t) for tail, t in pairs], axis=0)


def _statistics(logits: FloatArray, position: Position, median_leverage: float) -> list[FloatArray]:
    flattened = logits / (1.0 + position.leverage / median_leverage)[:, None]
    return [_doubt(logits), _doubt(flattened), position.distance]


def _doubt(logits: FloatArray) -> FloatArray:
    return logsumexp(logits, axis=1) - logits.max(axis=1)
