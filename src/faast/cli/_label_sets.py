"""Several labels a row as commands show them: joined in a cell, as a table, and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit

from faast import FaastClassifier
from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.imports import import_optional
from faast.cli._output import Answers, escape_controls, show_table
from faast.data.label_cells import SEPARATORS
from faast.evaluation.label_sets import LabelScores

DRAWN_LABELS = 40
"""Labels in a picture: those of most rows."""


def choose_separator(classifier: FaastClassifier, named: str | None) -> str:
    """Return what joins labels in a cell: what the user named, or a usual one.

    Raises
    ------
    ValueError
        If it is a part of a label, or each of the usual ones is.
    """
    labels = [str(label) for label in classifier.classes_.tolist()]
    free = [mark for mark in SEPARATORS if not any(mark in label for label in labels)]
    if named:
        within = next((label for label in labels if named in label), None)
        if within is not None:
            advice = f"name another one, such as {free[0]!r}" if free else "name another one"
            raise ValueError(
                f"the separator {named!r} is a part of the label {within!r}; {advice} "
                "(--label-separator)"
            )
        return named
    if not free:
        raise ValueError(
            f"each of {' '.join(SEPARATORS)} is a part of a label; name another separator "
            "(--label-separator), or use --json"
        )
    return free[0]


def answer_label_sets(classifier: FaastClassifier, features: AnyArray) -> Answers:
    """Return the labels of rows of features, and the probability of every label."""
    names = [str(label) for label in classifier.classes_.tolist()]
    found = classifier.predict_proba(features).tolist()
    return classifier.predict_columns(features) | {
        "label_probabilities": [dict(zip(names, row, strict=True)) for row in found]
    }


def join_label_sets(answers: Answers, separator: str) -> Answers:
    """Return answers for a table: the labels of a row in one cell, and their probabilities."""
    joined = {name: values for name, values in answers.items() if name != "label_probabilities"}
    joined["labels"] = [separator.join(map(str, row or ())) for row in answers["labels"]]
    joined["probabilities"] = [
        separator.join(f"{p:.4f}" for p in row or ()) for row in answers["probabilities"]
    ]
    return joined


def label_thresholds(classifier: FaastClassifier) -> list[float]:
    """Return the probability above which each class is answered."""
    thresholds: list[float] = expit(classifier.label_thresholds_).tolist()
    return thresholds


def describe_label_sets(scores: LabelScores) -> dict[str, float]:
    """Return the metrics over all labels as facts."""
    return {
        "exact_match": scores.exact_match,
        "micro_f1": scores.micro_f1,
        "macro_f1": scores.macro_f1,
        "average_precision": scores.mean_average_precision,
        "calibration_error": scores.ece,
    }


def list_label_scores(scores: LabelScores) -> dict[str, Any]:
    """Return the metrics of each label as lists."""
    return {
        "labels": scores.labels.tolist(),
        "label_rows": scores.rows.tolist(),
        "label_f1": scores.f1.tolist(),
        "label_precision": scores.precision.tolist(),
        "label_recall": scores.recall.tolist(),
        "label_average_precision": scores.average_precision.tolist(),
    }


def show_label_scores(scores: LabelScores) -> None:
    """Write the metrics of each label as a table."""
    columns = scores.f1, scores.precision, scores.recall, scores.average_precision
    show_table(
        "labels",
        ["", "rows", "F1", "precision", "recall", "average precision"],
        [
            [str(label), str(rows), *("" if np.isnan(v) else f"{v:.3f}" for v in values)]
            for label, rows, *values in zip(
                scores.labels.tolist(), scores.rows.tolist(), *columns, strict=True
            )
        ],
    )


def draw_label_scores(
    scores: LabelScores, marks: AnyArray, probabilities: FloatArray, path: Path
) -> None:
    """Draw precision against recall of the labels of most rows, and the point that is answered.

    Parameters
    ----------
    scores : LabelScores
    marks : ndarray of shape (n, C)
        Which of the labels of the scores rows have.
    probabilities : ndarray of shape (n, C)
        NaN in the columns of labels that the model has not learned.
    path : Path
        See `check_plot`.
    """
    figure_type = import_optional("matplotlib.figure", "plots").Figure
    order = np.argsort(-scores.rows, kind="stable")
    drawn = [i for i in order[:DRAWN_LABELS] if not np.isnan(scores.average_precision[i])]
    figure = figure_type(figsize=(7.5, 5.0), layout="constrained")
    axes = figure.add_subplot()
    for i in drawn:
        recall, precision = _curve(marks[:, i], probabilities[:, i])
        name = escape_controls(str(scores.labels.tolist()[i]))
        (line,) = axes.plot(recall, precision, label=f"{name}: F1 {scores.f1[i]:.2f}")
        axes.plot(scores.recall[i], scores.precision[i], "o", color=line.get_color())
    axes.set(xlabel="recall", ylabel="precision", xlim=(0.0, 1.02), ylim=(0.0, 1.02))
    axes.legend(
        fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), ncols=1 + len(drawn) // 21
    )
    axes.set_title(
        "each curve ends where all rows are answered; the dot is the chosen threshold", fontsize=8
    )
    figure.savefig(path)


def _curve(marks: AnyArray, probabilities: FloatArray) -> tuple[Sequence[float], Sequence[float]]:
    hits = np.cumsum(marks[np.argsort(-probabilities, kind="stable")])
    return (hits / max(int(hits[-1]), 1)).tolist(), (hits / np.arange(1, len(hits) + 1)).tolist()
