"""Which rows to label next: those that tell most about all rows of which the model is in doubt.

With scores linear in z = x - mean, a label of a row adds u z zᵀ to the information A that the model
has, where u = 1 - sum_c p_c² is the row's doubt (the Fisher information of a softmax, with one
number for all classes). The doubt about the pool is trace(A⁻¹ M), M = sum over the pool of u z zᵀ.
The next row is the one that reduces it most,

    u |M^½ A⁻¹ z|² / (1 + u zᵀ A⁻¹ z),

after which A grows by this row and the search goes on (greedy V-optimal design; cf. Fedorov 1972,
and BAIT, Ash et al. 2021). Rows near a chosen one so lose their value, rows far from all others
have little, and no label is needed between two choices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast._utils.floats import TINY
from faast.core.row_hashes import hash_rows
from faast.core.statistics import Statistics
from faast.estimators.head import Head
from faast.estimators.linear_classifier import labels, probabilities

CANDIDATES = 4096
"""Rows of the pool that are compared with each other."""

CERTAIN = 1e-9
"""Least doubt of a row, so that rows can still be ranked where the model is sure of all."""

PRIOR = 0.3
"""Information before any label, in mean squared lengths of z."""


@dataclass(frozen=True, eq=False)
class Suggestions:
    """Rows to label next, the most useful first.

    Attributes
    ----------
    rows : ndarray of shape (k,), int
        Place of each row in the pool.
    label : ndarray of shape (k,), or list of lists where rows may have several labels
        What the model would answer now.
    doubt : ndarray of shape (k,)
        Probability that two answers drawn from the model's probabilities differ: 0 if it is sure.
        Where rows may have several labels, the sum of this over the labels.
    distance : ndarray of shape (k,)
        How far the row is from learned rows and from rows chosen before it: 1 if nothing is like
        it, 0 if many are.
    gain : ndarray of shape (k,)
        Share of the doubt about the pool that its label is expected to remove.
    n_pool : int
        Rows of the pool.
    """

    rows: IntArray
    label: Any
    doubt: FloatArray
    distance: FloatArray
    gain: FloatArray
    n_pool: int


class RowChooser:
    """Collects a pool batch by batch, of any size, and chooses rows from it.

    Up to `candidates` rows are compared. Of more, it keeps those with the largest u / a, with the
    doubt u and a number a in (0, 1) from a hash of the features (priority sampling, Duffield et al.
    2007): doubtful rows are kept rather than others, at random, whatever the order and the
    batches. A kept row stands for a doubt of max(u, t), t being the largest u / a left out, so that
    M is estimated without bias.

    Parameters
    ----------
    head : Head or None
        Answers rows; None before anything is learned.
    statistics : Statistics or None
        Of the learned rows.
    candidates : int
        Rows that are compared.
    """

    def __init__(
        self, head: Head | None, statistics: Statistics | None, candidates: int = CANDIDATES
    ) -> None:
        self._head, self._statistics, self._most = head, statistics, candidates
        self._sum: FloatArray = np.zeros(1)
        self._n_rows, self._threshold = 0, 0.0
        self._pool = _Candidates(np.zeros((0, 0)), np.zeros(0), np.zeros(0), np.zeros(0, np.int64))

    @property
    def candidates(self) -> IntArray:
        """Places in the pool of the rows that are kept so far."""
        return self._pool.places

    def add(self, X: AnyArray) -> None:
        """Add rows (n, d) of the pool."""
        if not len(X):
            return
        X, doubt = np.asarray(X, dtype=np.float64), self._doubt(X)
        uniform = (hash_rows(X).astype(np.float64) + 0.5) / 2.0**63
        places = np.arange(self._n_rows, self._n_rows + len(X))
        pool = _Candidates(X, doubt, doubt / uniform, places)
        if len(self._pool.places):
            pool = self._pool.join(pool)
        if len(pool.places) > self._most:
            order = np.lexsort((pool.places, -pool.priorities))
            self._threshold = max(self._threshold, float(pool.priorities[order[self._most]]))
            pool = pool.take(np.sort(order[: self._most]))
        self._pool, self._n_rows, self._sum = pool, self._n_rows + len(X), self._sum + X.sum(axis=0)

    def choose(self, n: Any) -> Suggestions:
        """Choose rows; see `CuratedClassifier.suggest`.

        Raises
        ------
        ValueError
            If no row was added, or n is out of range.
        """
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or not 1 <= n <= CANDIDATES:
            raise ValueError(f"n must be a number of rows from 1 to {CANDIDATES:,}, got {n!r}")
        if not self._n_rows:
            raise ValueError("the pool is empty: there is no row to suggest; give rows to label")
        mean = self._sum / self._n_rows
        Z, doubt = self._pool.X - mean, self._pool.doubt
        told = self._told(mean)
        prior = PRIOR * float(np.square(Z).sum(axis=1).mean())
        prior = max(prior, 1e-9 * float(np.square(told).sum()), 1e-12)  # if all rows are equal
        if len(Z) + len(told) < len(mean) / 2:  # only inner products count: turn to fewer columns
            basis = np.linalg.qr(np.concatenate([Z, told]).T)[0]
            Z, told = Z @ basis, told @ basis
        design = _Design(Z, doubt, told.T @ told, np.maximum(doubt, self._threshold), prior)
        picks = [design.pick() for _ in range(min(n, len(Z)))]
        chosen, distance, gain = (np.array(part) for part in zip(*picks, strict=True))
        label: Any = np.full(len(chosen), None)
        if self._head is not None:
            label = labels(self._head, self._head.score(self._pool.X[chosen]))
        places = self._pool.places[chosen]
        return Suggestions(places, label, doubt[chosen], distance, gain, self._n_rows)

    def _doubt(self, X: AnyArray) -> FloatArray:
        """Return u of rows (n, d); where rows may have several labels, summed over labels."""
        if self._head is None:
            return np.ones(len(X))
        P = probabilities(self._head, self._head.score(X))
        several = self._head.kind.several
        doubt = (2.0 * P * (1.0 - P)).sum(axis=1) if several else 1.0 - (P**2).sum(axis=1)
        return np.maximum(doubt, CERTAIN)

    def _told(self, mean: FloatArray) -> FloatArray:
        """Return sqrt(u) z of the learned rows, (n, d), estimated from the sample."""
        if self._statistics is None or not len(self._statistics.rows):
            return np.zeros((0, len(mean)))
        rows = self._statistics.sampled_rows()
        tells = self._doubt(rows.keys) * rows.weights
        tells *= self._statistics.moments.count / rows.weights.sum()
        return np.sqrt(tells)[:, None] * (rows.keys - mean)


class _Candidates(NamedTuple):
    """Rows of a pool: features (n, d), doubt (n,), priorities (n,) and places (n,)."""

    X: FloatArray
    doubt: FloatArray
    priorities: FloatArray
    places: IntArray

    def take(self, chosen: IntArray) -> _Candidates:
        return _Candidates(
            self.X[chosen], self.doubt[chosen], self.priorities[chosen], self.places[chosen]
        )

    def join(self, other: _Candidates) -> _Candidates:
        return _Candidates(
            np.concatenate([self.X, other.X]),
            np.concatenate([self.doubt, other.doubt]),
            np.concatenate([self.priorities, other.priorities]),
            np.concatenate([self.places, other.places]),
        )


class _Design:
    """A greedy V-optimal design; a pick costs three products of a matrix (n, d) and a vector.

    Parameters
    ----------
    Z : ndarray of shape (n, d)
        Candidates.
    tells : ndarray of shape (n,)
        u: how much a label of each row tells.
    information : ndarray of shape (d, d)
        A of the learned rows.
    weights : ndarray of shape (n,)
        How much doubt about the pool each row stands for.
    prior : float
        Added to the diagonal of A.
    """

    def __init__(
        self,
        Z: FloatArray,
        tells: FloatArray,
        information: FloatArray,
        weights: FloatArray,
        prior: float,
    ) -> None:
        A = information + prior * np.eye(len(information))
        self._Z, self._tells, self._weights, self._prior = Z, tells, weights, prior
        self._V = cho_solve(cho_factor(A), Z.T).T  # A⁻¹ z before the first pick
        self._variance = np.einsum("ij,ij->i", self._V, Z)  # zᵀ A⁻¹ z
        if len(Z) < len(A):
            self._reach = np.square(self._V @ Z.T) @ weights  # |M^½ A⁻¹ z|²
        else:
            self._reach = np.einsum("ij,ij->i", self._V @ ((Z.T * weights) @ Z), self._V)
        self._length = np.maximum(np.einsum("ij,ij->i", Z, Z), TINY)
        self._doubt = max(float(weights @ self._variance), TINY)  # trace(A⁻¹ M)
        self._free = np.ones(len(Z), dtype=bool)
        self._steps: list[tuple[FloatArray, FloatArray]] = []  # A⁻¹ z = V - sum of a vᵀ

    def pick(self) -> tuple[int, float, float]:
        """Return the next row, its distance and its gain (see `Suggestions`), and count it in."""
        u, variance = self._tells, self._variance
        gains = np.where(self._free, u * self._reach / (1.0 + u * variance), -1.0)
        best = int(gains.argmax())
        distance = min(variance[best] * self._prior / self._length[best], 1.0)
        v = self._V[best] - sum(a[best] * w for a, w in self._steps)
        k = u[best] / (1.0 + u[best] * variance[best])
        a = self._Z @ v
        Mv = (self._weights * a) @ self._Z
        b = self._V @ Mv - sum(s * float(w @ Mv) for s, w in self._steps)
        moved = self._reach - 2.0 * k * a * b + (k * a) ** 2 * self._reach[best]
        self._reach = np.maximum(moved, 0.0)
        self._variance = np.maximum(variance - k * a**2, 0.0)
        self._free[best] = False
        self._steps.append((k * a, v))
        return best, float(distance), float(gains[best] / self._doubt)
