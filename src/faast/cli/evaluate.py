"""`faast evaluate`: measure how good a model's predictions are on labelled rows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from sklearn.metrics import confusion_matrix, f1_score

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.cli._confusion import check_plot, draw_confusion, show_confusion
from faast.cli._labels import match_labels
from faast.cli._model import load_classifier, open_encoder
from faast.cli._options import READING, Json, Model, Reading, rows_argument
from faast.cli._output import check_output, emit
from faast.cli._rows import name_source, open_source, read_batches
from faast.estimators.labels import as_labels, positions, union
from faast.solvers.calibration import calibration_error


def evaluate(
    model: Model,
    data: Annotated[str, rows_argument("DATA", "Labelled rows to test on")],
    plot: Annotated[
        Path | None, typer.Option(help="Image file for a plot of the confusion matrix.")
    ] = None,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Measure accuracy, macro F1, calibration and confusions.

    Labels that the model has not learned count as wrong.
    """
    started = time.perf_counter()
    if plot is not None:
        check_output(plot, model, data)
        check_plot(plot)
    classifier = load_classifier(model)
    open_encoder(classifier)
    source = open_source(classifier, data, reading)
    labels: list[Any] = []
    found: list[FloatArray] = []
    with name_source(source):
        for batch in read_batches(source, "Evaluating"):
            labels += match_labels(batch.labels or [], classifier.classes_)
            found.append(classifier.predict_proba_encoded(classifier.encode(batch.rows)))
    facts, classes, confusion = measure(
        as_labels(labels), classifier.classes_, np.concatenate(found)
    )
    facts |= {"rows_skipped": source.skipped, "seconds": time.perf_counter() - started}
    if plot is not None:
        draw_confusion(confusion, classes, plot)
        facts["plot"] = str(plot)
    if json:
        emit(facts | {"labels": classes, "confusion": confusion.tolist()}, json)
        return
    emit(facts, json)
    show_confusion(confusion, classes)


def measure(
    labels: AnyArray, known: AnyArray, probabilities: FloatArray
) -> tuple[dict[str, Any], list[Any], IntArray]:
    """Compare predictions with the true labels.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        True labels.
    known : ndarray of shape (C,)
        Class of each column of `probabilities`.
    probabilities : ndarray of shape (n, C)

    Returns
    -------
    facts : dict
        Number of rows, accuracy, macro F1 and expected calibration error.
    classes : list
        All of `known` and `labels`, sorted.
    confusion : ndarray of shape (len(classes), len(classes)), int
        Rows are true classes, columns predicted ones.
    """
    classes = union(known, labels)
    true = positions(labels, classes)
    predicted = positions(known, classes)[probabilities.argmax(axis=1)]
    correct = true == predicted
    facts = {
        "rows": len(labels),
        "accuracy": float(np.mean(correct)),
        "macro_f1": float(f1_score(true, predicted, average="macro")),
        "calibration_error": calibration_error(probabilities.max(axis=1), correct),
    }
    confusion = confusion_matrix(true, predicted, labels=np.arange(len(classes)))
    return facts, classes.tolist(), confusion
