"""Where learned rows lie: how far a row is from all of them, and from the nearest class.

Tail probabilities: how rarely a row that was learned looks so strange when it is left out.

How new a row is, by three leave-one-out tail probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.special import logsumexp

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.moments import Moments
from faast.core.persistence import State
from faast.core.sample import RowSample
from faast.solvers.auto import deviations
from faast.solvers.gaussian import TINY, GaussianClasses, Metric
from faast.solvers.spectrum import rows_in_units

STRENGTH = 0.1
"""λ in mean eigenvalues of S_t."""


class Place(NamedTuple):
    """Leverage of rows and squared Mahalanobis distance from the nearest class, shape (n,) each."""

    leverage: FloatArray
    distance: FloatArray


@dataclass(frozen=True, eq=False)
class FeatureGeometry:
    r"""Leverage and Mahalanobis distance, from moments whose values are classes.

    With z = (x - centre) / scale, S_t the scatter about the centre, S_w the scatter within classes
    of means m_c:

    h(x) = zᵀ(S_t + λI)⁻¹z,    distance(x) = min_c (z - m_c)ᵀ(S_w + λI)⁻¹(z - m_c).

    One rotation serves both, as S_t = S_w + M D Mᵀ with the class means M and their counts D. With
    A = S_w + λI, H = MᵀA⁻¹M and g = MᵀA⁻¹z, Woodbury's identity gives

    h = zᵀA⁻¹z - gᵀ B g,    B = √D (I + √D H √D)⁻¹ √D.

    Directions that no row spans are kept, with the metric λ: a query may live there.

    Attributes
    ----------
    centre, scale : ndarray of shape (d,)
        Columns of z have unit variance.
    shield : ndarray of shape (d, r)
        A⁻¹ = (I - shield shieldᵀ) / λ.
    weights : ndarray of shape (d, C)
        A⁻¹M, of the C classes that have rows.
    squares : ndarray of shape (C,)
        Diagonal of H.
    between : ndarray of shape (C, C)
        B; zeros with fewer than two rows a class, where S_t stands for S_w.
    floor : float
        λ.
    """

    centre: FloatArray
    scale: FloatArray
    shield: FloatArray
    weights: FloatArray
    squares: FloatArray
    between: FloatArray
    floor: float

    @classmethod
    def of(cls, moments: Moments, rows: RowSample) -> tuple[Self, Place]:
        """Measure what was learned; return the place of each kept row without itself, too.

        Leaving out is exact. By Sherman and Morrison h becomes h / (1 - h); for distances see
        `ClassesLeftOut`.
        """
        kept, scale = rows_in_units(moments, rows), deviations(moments)
        scale[scale == 0.0] = 1.0
        classes = GaussianClasses.of(moments, kept if rows.complete else None, scale=scale)
        seen = classes.counts > 0
        means, root = classes.means[seen], np.sqrt(classes.counts[seen])
        trace = classes.eigenvalues.sum()
        if not classes.one_shot:
            trace += ((root[:, None] * means) ** 2).sum()
        metric = Metric(1.0, max(STRENGTH * float(trace) / moments.n_features, TINY))
        precision = classes.precision(metric)
        products = (means * precision) @ means.T
        between = np.zeros_like(products)
        if not classes.one_shot:
            inner = np.eye(len(root)) + root[:, None] * products * root
            between = root[:, None] * np.linalg.inv(inner) * root
        measured = cls(
            centre=classes.centre,
            scale=scale,
            shield=classes.basis * np.sqrt(np.maximum(1.0 - precision * metric.floor, 0.0)),
            weights=classes.basis @ (means * precision).T,
            squares=products.diagonal().copy(),
            between=between,
            floor=metric.floor,
        )
        leverage = measured.place(kept.keys).leverage
        remaining = np.maximum(1.0 - np.minimum(kept.weights, 1.0) * leverage, 1e-9)
        distance = -2.0 * classes.left_out(kept).scores(metric)[:, seen].max(axis=1)
        return measured, Place(leverage / remaining, distance)

    def place(self, X: AnyArray) -> Place:
        """Place rows of shape (n, d)."""
        Z = (np.asarray(X, dtype=np.float64) - self.centre) / self.scale
        G = Z @ self.weights
        squares = (np.einsum("ij,ij->i", Z, Z) - ((Z @ self.shield) ** 2).sum(axis=1)) / self.floor
        leverage = squares - np.einsum("ij,ij->i", G @ self.between, G)
        distance = squares + (self.squares - 2.0 * G).min(axis=1)
        return Place(np.maximum(leverage, 0.0), np.maximum(distance, 0.0))

    def to_state(self) -> State:
        """Return what a file keeps."""
        tensors = {name: value for name, value in vars(self).items() if name != "floor"}
        return State(tensors, {"floor": self.floor})

    @classmethod
    def from_state(cls, state: State) -> FeatureGeometry:
        """Restore what `to_state` returned."""
        kept: dict[str, Any] = {**state.tensors, **state.metadata}
        return cls(**kept)


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


@dataclass(frozen=True, eq=False)
class Novelty:
    """Scores rows by how rarely a row that was learned looks so strange when it is left out.

    Three statistics, each of which finds what the others miss:

    - doubt, -max_c log p_c(x): unseen classes that lie between known ones;
    - far doubt, the same at temperature 1 + h(x) / median h: the variance of a linear score at x is
      σ²(1 + h), so the softmax of a row far from all others is to be flattened;
    - the Mahalanobis distance from the nearest class: other domains (Lee et al., NeurIPS 2018).

    Each statistic t is turned into -log P(T >= t), with T over the kept rows, each of them left
    out. In this common unit they add up without weights: Fisher's statistic (1925) of three tests,
    which would be independent. Only its order matters here, so it is not turned back into a
    probability.

    Attributes
    ----------
    surroundings : FeatureGeometry
    typical : float
        Median leverage of rows that were left out.
    tails : list of 3 Tail
        Of the statistics, in the order above.
    """

    surroundings: FeatureGeometry
    typical: float
    tails: list[Tail]

    @classmethod
    def of(cls, moments: Moments, rows: RowSample, loo_logits: FloatArray) -> Self:
        """Measure what was learned.

        Parameters
        ----------
        moments : Moments
            Values are classes (one-hot).
        rows : RowSample
            At least one.
        loo_logits : ndarray of shape (n, C)
            Log-probabilities of the kept rows without themselves, up to a constant a row.
        """
        surroundings, place = FeatureGeometry.of(moments, rows)
        typical = float(np.median(place.leverage)) or 1.0
        statistics = _statistics(loo_logits, place, typical)
        return cls(surroundings, typical, [Tail.of(t, rows.weights) for t in statistics])

    def score(self, X: AnyArray, logits: FloatArray) -> FloatArray:
        """Score rows (n, d) with their log-probabilities (n, C): larger is more novel, (n,)."""
        statistics = _statistics(logits, self.surroundings.place(X), self.typical)
        pairs = zip(self.tails, statistics, strict=True)
        return np.sum([tail.surprise(t) for tail, t in pairs], axis=0)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(tensor.nbytes for tensor in self.to_state().tensors.values())

    def to_state(self) -> State:
        """Return what a file keeps."""
        parts = {str(i): tail.to_state() for i, tail in enumerate(self.tails)}
        parts["surroundings"] = self.surroundings.to_state()
        return State.joined(parts, typical=self.typical)

    @classmethod
    def from_state(cls, state: State) -> Novelty:
        """Restore what `to_state` returned."""
        surroundings = FeatureGeometry.from_state(state.part("surroundings"))
        tails = [Tail.from_state(state.part(str(i))) for i in range(3)]
        return cls(surroundings, float(state.metadata["typical"]), tails)


def _statistics(logits: FloatArray, place: Place, typical: float) -> list[FloatArray]:
    flattened = logits / (1.0 + place.leverage / typical)[:, None]
    return [_doubt(logits), _doubt(flattened), place.distance]


def _doubt(logits: FloatArray) -> FloatArray:
    return logsumexp(logits, axis=1) - logits.max(axis=1)
