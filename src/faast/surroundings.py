"""Where learned rows lie: how far a row is from all of them, and from the nearest class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from faast._typing import AnyArray, FloatArray
from faast.moments import Moments
from faast.rows import KeptRows
from faast.sides import deviations
from faast.solvers.gaussian import TINY, GaussianClasses, Metric
from faast.solvers.spectrum import rows_in_units
from faast.state import State

STRENGTH = 0.1
"""λ in mean eigenvalues of S_t."""


class Place(NamedTuple):
    """Leverage of rows and squared Mahalanobis distance from the nearest class, shape (n,) each."""

    leverage: FloatArray
    distance: FloatArray


@dataclass(frozen=True, eq=False)
class Surroundings:
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
    def of(cls, moments: Moments, rows: KeptRows) -> tuple[Self, Place]:
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
    def from_state(cls, state: State) -> Surroundings:
        """Restore what `to_state` returned."""
        kept: dict[str, Any] = {**state.tensors, **state.metadata}
        return cls(**kept)
