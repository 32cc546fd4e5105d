"""Fisher information of a softmax layer, as a Kronecker product that is learned with the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from faast._typing import AnyArray, FloatArray, IntArray
from faast.state import State

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
