"""Fisher information of a softmax layer: a Kronecker product of two sums over rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast._utils.floats import TINY
from faast.core.state import Array, Range, Stored
from faast.estimators.natural.stream import Examples

DAMPING_OF_OUTPUTS = 0.1
"""Damping of S in mean eigenvalues; S has a null direction, as probabilities sum to 1."""


@dataclass(eq=False)
class Fisher(Stored):
    """Running sums of the curvature of the log-likelihood.

    Attributes
    ----------
    outputs : ndarray of shape (C, C)
        S = Σ (diag p - p pᵀ).
    gram : ndarray of shape (d + 1, d + 1)
        G = Σ w k kᵀ with keys k = [x; 1] and w = 1 - |p|², the trace of the curvature of one row,
        which is 0 for a row predicted with certainty.
    mass : float
        Σ w.
    rows : float
        Number of rows, or the sum of their weights.
    """

    outputs: Annotated[FloatArray, Array("C", "C")]
    gram: Annotated[FloatArray, Array("k", "k")]
    mass: Annotated[float, Range(0)] = 0.0
    rows: Annotated[float, Range(0)] = 0.0

    @classmethod
    def empty(cls, n_classes: int, n_keys: int) -> Fisher:
        """Return the sums of zero rows."""
        return cls(np.zeros((n_classes, n_classes)), np.zeros((n_keys, n_keys)))

    def add(self, keys: AnyArray, P: AnyArray, weights: AnyArray) -> None:
        """Add rows: keys (n, d + 1), probabilities P (n, C) and weights (n,), in place."""
        curving = weights * np.maximum(1.0 - (P * P).sum(axis=1), 0.0)
        self.gram += (keys * curving[:, None]).T @ keys
        self.outputs += np.diag(weights @ P) - (P * weights[:, None]).T @ P
        self.mass += float(curving.sum())
        self.rows += float(weights.sum())

    @property
    def mean_eigenvalue(self) -> float:
        """Mean eigenvalue of G / mass."""
        return float(np.trace(self.gram)) / max(self.mass, TINY) / len(self.gram)

    def prior_gradient(self, A: AnyArray) -> FloatArray:
        """Return the gradient of the Gaussian prior at A; the bias column is excluded."""
        gradient = self.outputs @ A * (self.mean_eigenvalue / self.rows)
        gradient[:, -1] = 0.0
        return gradient

    def directions(self, gradient: FloatArray, prior: FloatArray, damping: FloatArray) -> AnyArray:
        """Return (S + μI)⁻¹ (gradient - λ prior) (G / mass + λI)⁻¹, shape (k, C, d + 1).

        There is one for each damping λ, in mean eigenvalues of G / mass.
        """
        floor = DAMPING_OF_OUTPUTS * np.trace(self.outputs) / len(self.outputs)
        outputs = np.linalg.inv(self.outputs + floor * np.eye(len(self.outputs)))
        gram, eye = self.gram / self.mass, np.eye(len(self.gram))
        found = []
        for strength in damping:
            factor = cho_factor(gram + strength * self.mean_eigenvalue * eye, overwrite_a=True)
            found.append(outputs @ cho_solve(factor, (gradient - strength * prior).T).T)
        return np.stack(found).astype(np.float32)

    @property
    def eigenvalues(self) -> FloatArray:
        """Eigenvalues of G, ascending, in units of their mean."""
        mean = max(float(np.trace(self.gram)) / len(self.gram), TINY)
        return np.maximum(np.linalg.eigvalsh(self.gram) / mean, 0.0)

    def add_classes(self, columns: IntArray, n_classes: int) -> Fisher:
        """Return a copy with class c moved to columns[c] of n_classes."""
        outputs = np.zeros((n_classes, n_classes))
        outputs[np.ix_(columns, columns)] = self.outputs
        return replace(self, outputs=outputs, gram=self.gram.copy())

    def validate(self) -> None:
        """Raise ValueError if S or G is not positive semidefinite, or their traces do not fit.

        The trace of S is Σ w, and so is the last entry of G, as the last key of a row is 1.
        """
        if not _is_positive(self.outputs, self.rows) or not _is_positive(self.gram, self.rows):
            raise ValueError("the Fisher information has negative eigenvalues")
        sums = np.array([np.trace(self.outputs), self.gram[-1, -1]])
        if not np.allclose(sums, self.mass, rtol=1e-3, atol=1e-6 * self.rows):
            raise ValueError(f"sums over the same rows differ: {sums} and {self.mass}")


def _is_positive(matrix: FloatArray, rows: float) -> bool:
    """Tell whether a matrix is symmetric and positive, up to the rounding of float32 rows."""
    size = float(np.trace(matrix)) / len(matrix)
    rounding = 1e-6 * rows + TINY
    try:
        np.linalg.cholesky(matrix + (5e-3 * size + rounding) * np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        return False
    return bool(np.allclose(matrix, matrix.T, rtol=1e-3, atol=1e-3 * abs(size) + rounding))


def loss(logits: AnyArray, rows: Examples) -> float:
    """Return the weighted mean negative log-likelihood of rows."""
    top = logits.max(axis=1)
    mass = np.exp(logits - top[:, None]).sum(axis=1)
    own = logits[np.arange(len(logits)), rows.codes]
    return float(rows.weights @ (np.log(mass) + top - own) / rows.weights.sum())


def probabilities(logits: AnyArray) -> AnyArray:
    """Return the softmax of each row, in the precision of the logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
