"""Metrics of predicted labels: accuracy, macro F1, calibration error and the confusion matrix."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import confusion_matrix, f1_score

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.estimators.labels import as_labels, label_indices, unite_labels
from faast.solvers.calibration import calibration_error


@dataclass(frozen=True, eq=False)
class Scores:
    """How well predicted labels match the true ones.

    Attributes
    ----------
    hits : ndarray of shape (n,), bool
        Whether each row got its true label.
    macro_f1 : float
        Mean F1 over the classes that occur among true or predicted labels.
    ece : float
        Expected calibration error; NaN if no confidence was given.
    classes : ndarray of shape (C,)
        All classes, sorted.
    confusion : ndarray of shape (C, C), int
        Number of rows by true class (rows) and predicted class (columns).
    """

    hits: AnyArray
    macro_f1: float
    ece: float
    classes: AnyArray
    confusion: IntArray

    @property
    def accuracy(self) -> float:
        """Share of rows with the right label, 0 to 1."""
        return float(self.hits.mean())


def score_predictions(
    labels: AnyArray,
    predicted: AnyArray,
    confidence: FloatArray | None = None,
    classes: Sequence[Hashable] | AnyArray = (),
) -> Scores:
    """Compare predicted labels with the true ones.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        True labels; they may hold classes that were never predicted or learned.
    predicted : ndarray of shape (n,)
    confidence : ndarray of shape (n,), optional
        Probability of each predicted label.
    classes : array-like of shape (C,), optional
        Classes that get a row of the confusion matrix even if no label here is one of them.
    """
    every = unite_labels(unite_labels(as_labels(classes), labels), predicted)
    true, guessed = label_indices(labels, every), label_indices(predicted, every)
    hits = true == guessed
    return Scores(
        hits=hits,
        macro_f1=float(f1_score(true, guessed, average="macro")),
        ece=np.nan if confidence is None else calibration_error(confidence, hits),
        classes=every,
        confusion=confusion_matrix(true, guessed, labels=np.arange(len(every))),
    )


def mean_and_interval(values: AnyArray) -> tuple[float, float]:
    """Return the mean of values and half the width of its 95% interval, 1.96 std / √n.

    Parameters
    ----------
    values : ndarray of shape (n,)
        One per test row or episode.
    """
    return float(values.mean()), float(1.96 * values.std() / np.sqrt(len(values)))
