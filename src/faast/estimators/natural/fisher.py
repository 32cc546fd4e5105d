"""Fisher information of a softmax layer, as a Kronecker product that is learned with the rows.

Softmax and its loss, in the precision of the logits.

The log-posterior of a softmax layer on a sample of rows, and Newton-like steps up it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.core.persistence import State
from faast.estimators.natural.stream import Examples

DAMPING_OF_OUTPUTS = 0.1
"""Mean eigenvalues of S added to it: S has a null direction, as probabilities sum to 1."""

TINY = 1e-300


@dataclass(eq=False)
class Fisher:
    """Running sums of what curves the log-likelihood.

    Attributes
    ----------
    outputs : ndarray of shape (C, C)
        S = Σ (diag p - p pᵀ).
    gram : ndarray of shape (d + 1, d + 1)
        G = Σ w k kᵀ with keys k = [x; 1] and w = 1 - |p|², the trace of a row's own curvature: a
        row that is certain curves nothing.
    mass : float
        Σ w.
    rows : float
        Number of rows, or the sum of their weights.
    """

    outputs: FloatArray
    gram: FloatArray
    mass: float = 0.0
    rows: float = 0.0

    @classmethod
    def nothing(cls, n_classes: int, n_keys: int) -> Fisher:
        """Begin."""
        return cls(np.zeros((n_classes, n_classes)), np.zeros((n_keys, n_keys)))

    def add(self, keys: AnyArray, P: AnyArray, weights: AnyArray) -> None:
        """Add rows with their probabilities."""
        curving = weights * (1.0 - (P * P).sum(axis=1))
        self.gram += (keys * curving[:, None]).T @ keys
        self.outputs += np.diag(weights @ P) - (P * weights[:, None]).T @ P
        self.mass += float(curving.sum())
        self.rows += float(weights.sum())

    @property
    def mean_eigenvalue(self) -> float:
        """Of G a unit of mass."""
        return float(np.trace(self.gram)) / max(self.mass, TINY) / len(self.gram)

    def pull(self, A: AnyArray) -> FloatArray:
        """Return S A scaled to mean eigenvalues of G a row: the prior's gradient, bias free."""
        pull = self.outputs @ A * (self.mean_eigenvalue / self.rows)
        pull[:, -1] = 0.0
        return pull

    def directions(self, gradient: FloatArray, pull: FloatArray, damping: FloatArray) -> AnyArray:
        """Precondition: (S + μI)⁻¹ (gradient - λ pull) (G + λI)⁻¹, shape (k, C, d + 1).

        One for each damping λ, which is in mean eigenvalues of G; G is taken a unit of mass.
        """
        floor = DAMPING_OF_OUTPUTS * np.trace(self.outputs) / len(self.outputs)
        outputs = np.linalg.inv(self.outputs + floor * np.eye(len(self.outputs)))
        gram, eye = self.gram / self.mass, np.eye(len(self.gram))
        found = []
        for strength in damping:
            factor = cho_factor(gram + strength * self.mean_eigenvalue * eye, overwrite_a=True)
            found.append(outputs @ cho_solve(factor, (gradient - strength * pull).T).T)
        return np.stack(found).astype(np.float32)

    @property
    def eigenvalues(self) -> FloatArray:
        """Of G, ascending, in mean eigenvalues."""
        mean = max(float(np.trace(self.gram)) / len(self.gram), TINY)
        return np.maximum(np.linalg.eigvalsh(self.gram) / mean, 0.0)

    def widened(self, columns: IntArray, n_classes: int) -> Fisher:
        """Return a copy with the classes at other places among n_classes."""
        outputs = np.zeros((n_classes, n_classes))
        outputs[np.ix_(columns, columns)] = self.outputs
        return replace(self, outputs=outputs, gram=self.gram.copy())

    def to_state(self) -> State:
        """Return what a file keeps."""
        tensors = {"outputs": self.outputs, "gram": self.gram}
        return State(tensors, {"mass": self.mass, "rows": self.rows})

    @classmethod
    def from_state(cls, state: State) -> Fisher:
        """Restore what `to_state` returned."""
        return cls(
            state.tensors["outputs"],
            state.tensors["gram"],
            float(state.metadata["mass"]),
            float(state.metadata["rows"]),
        )


def loss(logits: AnyArray, rows: Examples) -> float:
    """Weighted mean negative log-likelihood."""
    top = logits.max(axis=1)
    mass = np.exp(logits - top[:, None]).sum(axis=1)
    own = logits[np.arange(len(logits)), rows.codes]
    return float(rows.weights @ (np.log(mass) + top - own) / rows.weights.sum())


def probabilities(logits: AnyArray) -> AnyArray:
    """Softmax of each row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


STEPS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Octaves round the Bayes step."""

NEWTON_STEPS = 8


@dataclass(frozen=True, eq=False)
class Posterior:
    """Mean log-loss of a sample plus ½ λ tr (A - A₀)ᵀ (S/n) (A - A₀), λ in mean eigenvalues of G.

    Attributes
    ----------
    sample : Examples
        Of keys [x; 1].
    fisher : Fisher
        Of all n rows, S and G.
    origin : ndarray of shape (C, d + 1)
        A₀, the prior's mean.
    """

    sample: Examples
    fisher: Fisher
    origin: AnyArray

    def directions(self, A: AnyArray, dampings: FloatArray) -> AnyArray:
        """Natural gradient at A for each damping, scaled to all rows: shape (k, C, d + 1)."""
        sample = self.sample
        if not self.fisher.mass > 0:  # one class only: nothing to tell apart
            return np.zeros((len(dampings), *A.shape), np.float32)
        V = -probabilities(sample.keys @ A.T)
        V[np.arange(len(V)), sample.codes] += 1.0
        gradient = (V * sample.weights[:, None]).T @ sample.keys
        pull = self.fisher.pull(A - self.origin) * float(sample.weights.sum())
        return self.fisher.directions(gradient, pull, dampings)

    def optimum(self, A: AnyArray, damping: float) -> tuple[AnyArray, float]:
        """Walk from A to the optimum; also return what the walk gains."""
        keys = self.sample.keys
        logits = keys @ A.T
        start = now = self._loss(logits, A, damping)
        for _ in range(NEWTON_STEPS):
            (direction,) = self.directions(A, np.array([damping]))
            along = keys @ direction.T
            tried = [
                (self._loss(logits + step * along, A + step * direction, damping), step)
                for step in STEPS
            ]
            now, step = min((now, 0.0), *tried)
            if not step:
                break
            A, logits = A + np.float32(step) * direction, logits + np.float32(step) * along
        return A, start - now

    def _loss(self, logits: AnyArray, A: AnyArray, damping: float) -> float:
        away = A - self.origin
        penalty = 0.5 * damping * float((self.fisher.pull(away) * away).sum())
        return loss(logits, self.sample) + penalty
