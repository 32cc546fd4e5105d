"""`faast evaluate`: measure how good a model's predictions are on labelled rows."""

from __future__ import annotations

import time
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from faast._utils.arrays import FloatArray
from faast.cli._columns import ColumnOrder
from faast.cli._confusion import check_plot, draw_confusion, show_confusion
from faast.cli._labels import labels_of_classes
from faast.cli._model import load_classifier, open_encoder
from faast.cli._options import READING, Json, Model, Reading, rows_argument
from faast.cli._output import check_output, describe_scores, emit
from faast.cli._rows import name_source, open_source, read_batches
from faast.estimators.labels import as_labels, label_indices
from faast.evaluation.metrics import score_predictions


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

    Labels that the model has not learned count as wrong, but one must be a class of the model.
    """
    started = time.perf_counter()
    if plot is not None:
        check_output(plot, model, data)
        check_plot(plot)
    classifier = load_classifier(model)
    open_encoder(classifier)
    source = open_source(classifier, data, reading)
    true: list[Hashable] = []
    found: list[FloatArray] = []
    with name_source(source):
        for batch in read_batches(source, "Evaluating", ColumnOrder(classifier)):
            true += labels_of_classes(classifier, batch.labels)
            found.append(classifier.predict_proba(batch.rows))
    if not set(true) & set(classifier.classes_.tolist()):
        raise ValueError(
            f"{data}: no label is a class of {model}: the labels are "
            f"{', '.join(sorted(map(repr, set(true)))[:5])}, the classes "
            f"{', '.join(map(repr, classifier.classes_.tolist()[:5]))}; name the column of the "
            "labels with --label-column, or another file"
        )
    probabilities = np.concatenate(found)
    scores = score_predictions(
        as_labels(true),
        classifier.classes_[probabilities.argmax(axis=1)],
        probabilities.max(axis=1),
        classifier.classes_,
    )
    classes = classifier.report_order(scores.classes.tolist())
    places = label_indices(as_labels(classes), scores.classes)
    confusion = scores.confusion[np.ix_(places, places)]
    facts: dict[str, Any] = {
        "rows": len(true),
        **describe_scores(scores),
        "rows_skipped": source.skipped,
        "seconds": time.perf_counter() - started,
    }
    if plot is not None:
        draw_confusion(confusion, classes, plot)
        facts["plot"] = str(plot)
    if json:
        emit(facts | {"labels": classes, "confusion": confusion.tolist()}, json)
        return
    emit(facts, json)
    show_confusion(confusion, classes)
