"""How new a row is, by three leave-one-out tail probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import logsumexp

from faast._typing import AnyArray, FloatArray
from faast.moments import Moments
from faast.rows import KeptRows
from faast.state import State
from faast.surroundings import Place, Surroundings
from faast.tails import Tail


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
    surroundings : Surroundings
    typical : float
        Median leverage of rows that were left out.
    tails : list of 3 Tail
        Of the statistics, in the order above.
    """

    surroundings: Surroundings
    typical: float
    tails: list[Tail]

    @classmethod
    def of(cls, moments: Moments, rows: KeptRows, loo_logits: FloatArray) -> Self:
        """Measure what was learned.

        Parameters
        ----------
        moments : Moments
            Values are classes (one-hot).
        rows : KeptRows
            At least one.
        loo_logits : ndarray of shape (n, C)
            Log-probabilities of the kept rows without themselves, up to a constant a row.
        """
        surroundings, place = Surroundings.of(moments, rows)
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
        surroundings = Surroundings.from_state(state.part("surroundings"))
        tails = [Tail.from_state(state.part(str(i))) for i in range(3)]
        return cls(surroundings, float(state.metadata["typical"]), tails)


def _statistics(logits: FloatArray, place: Place, typical: float) -> list[FloatArray]:
    flattened = logits / (1.0 + place.leverage / typical)[:, None]
    return [_doubt(logits), _doubt(flattened), place.distance]


def _doubt(logits: FloatArray) -> FloatArray:
    return logsumexp(logits, axis=1) - logits.max(axis=1)
