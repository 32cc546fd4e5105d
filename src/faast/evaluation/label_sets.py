"""Metrics of predicted sets of labels: per label, over all pairs, and of whole rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.estimators.labels import label_indices, unite_labels
from faast.estimators.targets import Targets
from faast.solvers.calibration import calibration_error


@dataclass(frozen=True, eq=False)
class LabelScores:
    """How well predicted labels match the true ones where rows may have several.

    Attributes
    ----------
    labels : ndarray of shape (C,)
        All labels, sorted.
    rows : ndarray of shape (C,), int
        Rows that have each label.
    f1, precision, recall : ndarray of shape (C,)
        0 where a label is neither true nor predicted anywhere.
    average_precision : ndarray of shape (C,)
        NaN for a label that no row has, or that the model has not learned.
    micro_f1 : float
        F1 over all pairs of a row and a label.
    exact_match : float
        Share of rows with exactly the right labels.
    ece : float
        Expected calibration error over all pairs of a row and a learned label.
    """

    labels: AnyArray
    rows: IntArray
    f1: FloatArray
    precision: FloatArray
    recall: FloatArray
    average_precision: FloatArray
    micro_f1: float
    exact_match: float
    ece: float

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the labels that are true or predicted somewhere."""
        return _mean(self.f1, self.rows + self.precision > 0)

    @property
    def mean_average_precision(self) -> float:
        """Mean average precision over the labels that have one; NaN if none has."""
        return _mean(self.average_precision, ~np.isnan(self.average_precision))


def score_label_sets(
    true: Targets, predicted: AnyArray, probabilities: FloatArray, classes: AnyArray
) -> LabelScores:
    """Compare predicted sets of labels with the true ones.

    Parameters
    ----------
    true : Targets
        Of n rows; they may hold labels that were never learned, which count as missed.
    predicted : ndarray of shape (n, C), bool
        Which classes are answered.
    probabilities : ndarray of shape (n, C)
    classes : ndarray of shape (C,)
    """
    labels = unite_labels(classes, true.labels)
    places = label_indices(classes, labels)
    marks, answered = true.among(labels), np.zeros((len(true), len(labels)), dtype=np.uint8)
    answered[:, places] = predicted
    rows, hits = marks.sum(axis=0, dtype=np.int64), (marks & answered).sum(axis=0, dtype=np.int64)
    given = answered.sum(axis=0, dtype=np.int64)
    ranked = np.full(len(labels), np.nan)
    for place, column in zip(places, probabilities.T, strict=True):
        if rows[place]:
            ranked[place] = average_precision_score(marks[:, place], column)
    known = marks[:, places]
    return LabelScores(
        labels=labels,
        rows=rows,
        f1=2.0 * hits / np.maximum(rows + given, 1),
        precision=hits / np.maximum(given, 1),
        recall=hits / np.maximum(rows, 1),
        average_precision=ranked,
        micro_f1=float(2.0 * hits.sum() / max(int(rows.sum() + given.sum()), 1)),
        exact_match=float((marks == answered).all(axis=1).mean()),
        ece=calibration_error(probabilities.ravel(), known.ravel()),
    )


def _mean(values: FloatArray, chosen: AnyArray) -> float:
    return float(values[chosen].mean()) if chosen.any() else float("nan")
