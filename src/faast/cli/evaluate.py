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
from faast.cli._coverage import draw_coverage, show_coverage
from faast.cli._labels import labels_of_classes
from faast.cli._model import load_classifier, open_encoder
from faast.cli._options import READING, Json, Model, Reading, rows_argument
from faast.cli._output import check_output, describe_scores, emit
from faast.cli._rows import name_source, open_source, read_batches
from faast.estimators.labels import as_labels, label_indices
from faast.evaluation.metrics import score_predictions
from faast.evaluation.selective import coverage_curve


def evaluate(
    model: Model,
    data: Annotated[str, rows_argument("DATA", "Labelled rows to test on")],
    plot: Annotated[
        Path | None, typer.Option(help="Image file for a plot of the confusion matrix.")
    ] = None,
    curve: Annotated[
        Path | None,
        typer.Option(help="Image file for a plot of accuracy against the share of answered rows."),
    ] = None,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Measure accuracy, macro F1, calibration and confusions.

    The surest answers are measured too: accuracy against the share of rows that get an answer.

    Labels that the model has not learned count as wrong, but one must be a class of the model.
    """
    started = time.perf_counter()
    for image in (plot, curve):
        if image is not None:
            check_output(image, model, data)
            check_plot(image)
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
    confidence = probabilities.max(axis=1)
    scores = score_predictions(
        as_labels(true),
        classifier.classes_[probabilities.argmax(axis=1)],
        confidence,
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
    answered = coverage_curve(confidence, scores.hits)
    if curve is not None:
        draw_coverage(answered, curve)
        facts["curve"] = str(curve)
    if json:
        lists = {f"curve_{name}": part.tolist() for name, part in answered._asdict().items()}
        emit(facts | {"labels": classes, "confusion": confusion.tolist(), **lists}, json)
        return
    emit(facts, json)
    show_coverage(answered)
    show_confusion(confusion, classes)
