"""`faast evaluate`: measure how good a model's predictions are on labelled rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from faast import FaastClassifier, FaastRegressor
from faast._utils.arrays import AnyArray, FloatArray
from faast.cli._columns import ColumnOrder
from faast.cli._confusion import check_plot, draw_confusion, show_confusion
from faast.cli._coverage import draw_coverage, show_coverage
from faast.cli._label_sets import (
    describe_label_sets,
    draw_label_scores,
    list_label_scores,
    show_label_scores,
)
from faast.cli._labels import answers_of, labels_of_classes
from faast.cli._model import load_model, open_encoder
from faast.cli._numbers import draw_predictions, score_numbers, target_labels
from faast.cli._options import READING, Interval, Json, Model, Reading, Targets, rows_argument
from faast.cli._output import check_output, describe_scores, emit, flatten
from faast.cli._rows import name_source, open_source, read_batches
from faast.data import RowSource
from faast.estimators.hierarchy import Hierarchy, has_levels
from faast.estimators.labels import as_labels, label_indices
from faast.estimators.targets import TargetKind, as_targets
from faast.evaluation.label_sets import score_label_sets
from faast.evaluation.metrics import score_predictions
from faast.evaluation.selective import coverage_curve


def evaluate(
    model: Model,
    data: Annotated[str, rows_argument("DATA", "Rows with labels or numbers to test on")],
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Image file for a plot of the confusion matrix, of precision and recall of "
            "several labels a row, or of predicted against true numbers."
        ),
    ] = None,
    curve: Annotated[
        Path | None,
        typer.Option(help="Image file for a plot of accuracy against the share of answered rows."),
    ] = None,
    reading: Reading = READING,
    target: Targets = None,
    interval: Interval = 0.9,
    json: Json = False,
) -> None:
    """Measure how good predictions are.

    For labels: accuracy, macro F1, calibration, confusions, and accuracy against the share of rows
    that get an answer, the surest first. Labels that the model has not learned count as wrong, but
    one must be a class of the model. For several labels a row: exact match, micro and macro F1,
    average precision, calibration, and the same per label. For numbers: R², mean absolute error,
    and the share of true numbers within the intervals.
    """
    started = time.perf_counter()
    images = {"plot": plot, "curve": curve}
    for image in images.values():
        if image is not None:
            check_output(image, model, data)
            check_plot(image)
    learner = load_model(model)
    open_encoder(learner)
    source = open_source(learner, data, reading, targets=target)
    with name_source(source):
        if isinstance(learner, FaastRegressor):
            if curve is not None:
                raise ValueError("--curve is for labels; leave it out for a model of numbers")
            report = _evaluate_numbers(learner, source, interval)
        else:
            several = learner.target_kind_ is not TargetKind.LABEL
            measure = _evaluate_label_sets if several else _evaluate_labels
            report = measure(learner, source, model)
    facts = report.facts | {
        "rows_skipped": source.skipped,
        "seconds": time.perf_counter() - started,
    }
    for name, path in images.items():
        if path is not None and name not in report.plots:
            raise ValueError(f"--{name} is for models of one label per row; leave it out")
        if path is not None:
            report.plots[name](path)
            facts[name] = str(path)
    if json:
        emit(facts | report.details, json)
        return
    emit(facts, json)
    report.show()


class Report(NamedTuple):
    """What was measured.

    Attributes
    ----------
    facts : dict
        What both people and programs read.
    details : dict
        What only programs read.
    show : callable
        Writes the details for people.
    plots : dict of str to callable
        What draws them into an image file, by the option that names the file.
    """

    facts: dict[str, Any]
    details: dict[str, Any]
    show: Callable[[], None]
    plots: dict[str, Callable[[Path], None]]


def _evaluate_labels(classifier: FaastClassifier, source: RowSource, model: Path) -> Report:
    true: list[Hashable] = []
    found: list[FloatArray] = []
    for batch in read_batches(source, "Evaluating", ColumnOrder(classifier)):
        true += labels_of_classes(classifier, batch.labels)
        found.append(classifier.predict_proba(batch.rows))
    if not set(true) & set(classifier.classes_.tolist()):
        raise ValueError(
            f"{source.name}: no label is a class of {model}: the labels are "
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
    names = classifier.classes_.tolist()
    answered = coverage_curve(confidence, scores.hits)
    lists = {f"curve_{name}": part.tolist() for name, part in answered._asdict().items()}

    def show() -> None:
        show_coverage(answered)
        show_confusion(confusion, classes)

    return Report(
        {"rows": len(true), **describe_scores(scores), **_score_levels(true, probabilities, names)},
        {"labels": classes, "confusion": confusion.tolist(), **lists},
        show,
        {
            "plot": partial(draw_confusion, confusion, classes),
            "curve": partial(draw_coverage, answered),
        },
    )


def _score_levels(
    true: Sequence[Hashable], probabilities: FloatArray, classes: Sequence[Any]
) -> dict[str, float]:
    """Measure the accuracy at each level of classes that are paths; nothing for other classes."""
    if not has_levels(classes):
        return {}
    hierarchy = Hierarchy(classes)
    facts: dict[str, float] = {}
    for level in range(1, hierarchy.depth + 1):
        nodes, found = hierarchy.probabilities(probabilities, level)
        predicted = nodes[found.argmax(axis=1)].tolist()
        right = [hierarchy.cut(str(t), level) == p for t, p in zip(true, predicted, strict=True)]
        facts[f"accuracy_level_{level}"] = float(np.mean(right))
    return facts


def _evaluate_label_sets(classifier: FaastClassifier, source: RowSource, model: Path) -> Report:
    true: list[Hashable] = []
    found: list[tuple[FloatArray, AnyArray]] = []
    for batch in read_batches(source, "Evaluating", ColumnOrder(classifier)):
        true += labels_of_classes(classifier, batch.labels)
        asked, features = classifier.on_features(), classifier.encode(batch.rows)
        found.append((asked.predict_proba(features), asked.decision_function(features) > 0))
    targets, classes = as_targets(true), classifier.classes_
    if not set(targets.labels.tolist()) & set(classes.tolist()):
        raise ValueError(
            f"{source.name}: no label is a class of {model}: the labels are "
            f"{', '.join(map(repr, targets.labels.tolist()[:5]))}, the classes "
            f"{', '.join(map(repr, classes.tolist()[:5]))}; name the column of the labels with "
            "--label-column and what separates them with --label-separator"
        )
    probabilities, answered = (np.concatenate(parts) for parts in zip(*found, strict=True))
    scores = score_label_sets(targets, answered, probabilities, classes)
    learned = np.full((len(targets), len(scores.labels)), np.nan)
    learned[:, label_indices(classes, scores.labels)] = probabilities
    marks = targets.among(scores.labels)
    return Report(
        {"rows": len(true), **describe_label_sets(scores)},
        list_label_scores(scores),
        lambda: show_label_scores(scores),
        {"plot": partial(draw_label_scores, scores, marks, learned)},
    )


def _evaluate_numbers(regressor: FaastRegressor, source: RowSource, coverage: float) -> Report:
    n_targets, names = regressor.n_targets_, target_labels(regressor)
    asked = regressor.on_features()  # so that a row is encoded once for values and intervals
    read: list[FloatArray] = []
    found: list[FloatArray] = []
    intervals: list[FloatArray] = []
    for batch in read_batches(source, "Evaluating", ColumnOrder(regressor)):
        features = regressor.encode(batch.rows)
        read.append(answers_of(regressor, batch.labels).reshape(-1, n_targets))
        found.append(asked.predict(features).reshape(-1, n_targets))
        if asked.measures_errors:
            interval = asked.predict_interval(features, coverage)
            intervals.append(interval.reshape(-1, n_targets, 2))
    true, predicted = np.concatenate(read), np.concatenate(found)
    bounds = np.concatenate(intervals) if intervals else None
    scores = {
        name: score_numbers(true[:, i], predicted[:, i], None if bounds is None else bounds[:, i])
        for i, name in enumerate(names)
    }
    return Report(
        {"rows": len(true), **(flatten(scores) if n_targets > 1 else scores[names[0]])},
        {"numbers": names, "interval": coverage},
        lambda: None,
        {"plot": partial(draw_predictions, true, predicted, bounds, names)},
    )
