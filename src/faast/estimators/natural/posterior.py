"""The negative log-posterior of a softmax layer on a sample of rows, and steps that reduce it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.estimators.natural.fisher import Fisher, loss, probabilities
from faast.estimators.natural.stream import Examples

STEPS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Step lengths to try, by factors of 2 around 1, the Bayes step."""

NEWTON_STEPS = 8


@dataclass(frozen=True, eq=False)
class Posterior:
    """Mean log-loss of a sample plus ½ λ tr (A - A₀)ᵀ (S/n) (A - A₀), λ in mean eigenvalues of G.

    Attributes
    ----------
    sample : Examples
        Sampled rows with keys [x; 1].
    fisher : Fisher
        S and G of all n rows.
    origin : ndarray of shape (C, d + 1)
        A₀, the mean of the prior.
    """

    sample: Examples
    fisher: Fisher
    origin: AnyArray

    def directions(self, A: AnyArray, dampings: FloatArray) -> AnyArray:
        """Return the natural gradient at A for each damping, scaled to all rows: (k, C, d + 1)."""
        sample = self.sample
        if not self.fisher.mass > 0:  # a single class has no gradient
            return np.zeros((len(dampings), *A.shape), np.float32)
        V = -probabilities(sample.keys @ A.T)
        V[np.arange(len(V)), sample.codes] += 1.0
        gradient = (V * sample.weights[:, None]).T @ sample.keys
        prior = self.fisher.prior_gradient(A - self.origin) * float(sample.weights.sum())
        return self.fisher.directions(gradient, prior, dampings)

    def optimum(self, A: AnyArray, damping: float) -> tuple[AnyArray, float]:
        """Take Newton-like steps from A to the optimum; return it and the decrease of the loss."""
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
        penalty = 0.5 * damping * float((self.fisher.prior_gradient(away) * away).sum())
        return loss(logits, self.sample) + penalty
