"""How often each class is labelled as another, and what that says of the label of one row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from faast._utils.arrays import FloatArray, IntArray
from faast._utils.floats import TINY

STEPS = 10
"""Steps of the deconvolution; more fit the noise in the probabilities."""

ROUNDING = 1e-9
"""Share of a mean by which equal probabilities may lie below it."""


@dataclass(frozen=True, eq=False)
class LabelNoise:
    """The noise of labels: P(label = given | true class), the same for all rows of a class.

    Attributes
    ----------
    matrix : ndarray of shape (C, C)
        Rows are true classes, columns given labels; rows sum to 1.
    """

    matrix: FloatArray

    @classmethod
    def from_left_out(cls, proba: FloatArray, given: IntArray, weights: FloatArray) -> Self:
        """Estimate the noise from probabilities of learned rows, each left out.

        A row is counted as of true class j if p_j is above its mean over the rows labelled j; of
        several such classes, the most probable one counts (confident learning, Northcutt et al.
        2021). The counts of each label are scaled to its number of rows. Of the n confusions of a
        label, the share n / (n + C - 1) / 2 stays where it was counted: a few cannot tell which
        confusions are frequent, and of many, some are mistakes of the model. The rest is spread
        evenly over the other classes, and one row more per class over all labels.

        Parameters
        ----------
        proba : ndarray of shape (n, C)
        given : ndarray of shape (n,), int
            Column of the label of each row.
        weights : ndarray of shape (n,)
        """
        n_classes = proba.shape[1]
        rows_of = np.bincount(given, weights, n_classes)
        own = np.bincount(given, weights * proba[np.arange(len(given)), given], n_classes)
        usual = np.where(rows_of > 0, own / np.maximum(rows_of, TINY), np.inf)
        confident = np.where(proba >= usual * (1.0 - ROUNDING), proba, -1.0)
        counted = confident.max(axis=1) >= 0.0
        counts = np.zeros((n_classes, n_classes))  # of (label, true class)
        np.add.at(counts, (given[counted], confident[counted].argmax(axis=1)), weights[counted])
        counts[np.diag_indices(n_classes)] += counts.sum(axis=1) == 0.0
        counts *= (rows_of / counts.sum(axis=1))[:, None]
        right = np.diag(np.diag(counts))
        confused = (counts - right).sum(axis=1, keepdims=True)
        measured = 0.5 * confused / (confused + max(n_classes - 1, 1))
        others = (1.0 - np.eye(n_classes)) / max(n_classes - 1, 1)
        spread = confused * others
        joint = right + measured * (counts - right) + (1.0 - measured) * spread + 1.0 / n_classes
        return cls(joint.T / joint.sum(axis=0)[:, None])

    def true_class(self, proba: FloatArray, given: IntArray) -> FloatArray:
        """Return the probabilities of the true class of rows, given their labels: (n, C).

        The probabilities p of labels are those q of true classes, blurred by the noise T: p = q T.
        Steps of Richardson (1972) and Lucy (1974), q ← q ∘ ((p / (q T)) Tᵀ), sharpen p to q. Then
        P(true = j | label i) is proportional to q_j T_ji.

        Parameters
        ----------
        proba : ndarray of shape (n, C)
            Probabilities of labels, by a model that has not learned the row.
        given : ndarray of shape (n,), int
        """
        T = self.matrix
        q = proba + 1.0 / len(T)
        q /= q.sum(axis=1, keepdims=True)
        for _ in range(STEPS):
            q *= (proba / np.maximum(q @ T, TINY)) @ T.T
            q /= q.sum(axis=1, keepdims=True)
        q *= T[:, given].T
        found: FloatArray = q / q.sum(axis=1, keepdims=True)
        return found
