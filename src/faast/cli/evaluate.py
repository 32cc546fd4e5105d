"""Images of results.

`faast evaluate`: how good the answers are.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from sklearn.metrics import confusion_matrix, f1_score

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast._utils.imports import import_optional
from faast.cli._model import Learner
from faast.cli._options import READING, Data, Json, Model, Reading
from faast.cli._output import emit, one_line_errors, require_output, show_table
from faast.cli._rows import batches, labels_like, named, opened
from faast.estimators.labels import as_labels, positions, union
from faast.solvers.calibration import calibration_error

NUMBERED = 20
"""Classes up to which cells carry their numbers."""


def require_image(path: Path) -> None:
    """Check that an image can be drawn into a file.

    Raises
    ------
    ImportError
        matplotlib is not installed.
    ValueError
        It writes no such format.
    """
    canvas = import_optional("matplotlib.backend_bases", "plots").FigureCanvasBase
    formats = sorted(canvas.get_supported_filetypes())
    if path.suffix.lower().removeprefix(".") not in formats:
        raise ValueError(f"{path} must end in one of .{', .'.join(formats)}")


def draw_confusion(confusion: IntArray, classes: Sequence[Any], path: Path) -> None:
    """Draw a confusion matrix, rows scaled to shares of their class.

    Parameters
    ----------
    confusion : ndarray of shape (C, C), int
        Rows are true, columns predicted.
    classes : sequence of length C
    path : path-like
        See `require_image`.
    """
    figure_type = import_optional("matplotlib.figure", "plots").Figure
    side = min(max(3.0, 0.35 * len(classes)), 20.0)
    figure = figure_type(figsize=(side + 1.5, side + 1.0), layout="constrained")
    axes = figure.add_subplot()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    figure.colorbar(image, ax=axes, label="share of the true class")
    places, names = range(len(classes)), [str(label) for label in classes]
    small = {"fontsize": 8 if len(classes) <= NUMBERED else 5, "parse_math": False}
    axes.set_xticks(places, names, rotation=90, **small)
    axes.set_yticks(places, names, **small)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if len(classes) <= NUMBERED:
        for (i, j), count in np.ndenumerate(confusion):
            colour = "white" if shares[i, j] > 0.5 else "black"
            axes.text(j, i, str(count), ha="center", va="center", color=colour, **small)
    figure.savefig(path)


FULL_TABLE = 12
"""Classes up to which the whole confusion matrix is shown; past it, what is confused most."""

MOST_CONFUSED = 10


@one_line_errors
def evaluate(
    model: Model,
    data: Data,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the confusion matrix into this image file.")
    ] = None,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Measure accuracy, macro F1, calibration and confusions on labelled rows."""
    started = time.perf_counter()
    if plot is not None:
        require_output(plot, model, data)
        require_image(plot)
    learner = Learner.load(model)
    learner.open_encoder()
    classifier = learner.classifier
    source = opened(learner, data, reading)
    labels: list[Any] = []
    found: list[FloatArray] = []
    with named(source):
        for batch in batches(source, "Evaluating"):
            labels += labels_like(classifier, batch.labels or [])
            found.append(classifier.predict_proba(learner.features(batch.rows)))
    probabilities = np.concatenate(found)
    facts, classes, confusion = measure(as_labels(labels), classifier.classes_, probabilities)
    facts |= {"rows_skipped": source.skipped, "seconds": time.perf_counter() - started}
    if plot is not None:
        draw_confusion(confusion, classes, plot)
        facts["plot"] = str(plot)
    if json:
        emit(facts | {"labels": classes, "confusion": confusion.tolist()}, json)
        return
    emit(facts, json)
    _show(confusion, [str(label) for label in classes])


def measure(
    labels: AnyArray, known: AnyArray, probabilities: FloatArray
) -> tuple[dict[str, Any], list[Any], IntArray]:
    """Compare labels with predictions.

    Parameters
    ----------
    labels : ndarray of shape (n,)
    known : ndarray of shape (C,)
        Classes of the columns of `probabilities`.
    probabilities : ndarray of shape (n, C)

    Returns
    -------
    facts : dict
    classes : list
        Known ones and others that the labels hold, sorted.
    confusion : ndarray of shape (len(classes), len(classes)), int
        Rows are true, columns predicted.
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
    matrix = confusion_matrix(true, predicted, labels=np.arange(len(classes)))
    return facts, classes.tolist(), matrix


def _show(confusion: IntArray, classes: Sequence[str]) -> None:
    if len(classes) <= FULL_TABLE:
        cells = [[name, *map(str, row)] for name, row in zip(classes, confusion, strict=True)]
        show_table("confusions", ["true, down; predicted, across", *classes], cells)
        return
    off = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-off, axis=None, kind="stable")[:MOST_CONFUSED]
    pairs = [divmod(int(place), len(classes)) for place in order]
    rows = [[classes[i], classes[j], str(off[i, j])] for i, j in pairs if off[i, j]]
    if rows:
        show_table("most confused", ["true", "predicted", "rows"], rows)
    Console(stderr=True).print("the whole matrix: --json, or --plot FILE")
