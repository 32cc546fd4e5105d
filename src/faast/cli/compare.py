"""`faast compare`: ours beside other methods on the same features."""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Annotated, Any

import numpy as np
import typer
from scipy.special import softmax

from faast import FaastClassifier
from faast._utils.arrays import AnyArray
from faast._utils.progress import progress_bar
from faast.cli._model import Learner
from faast.cli._options import ENCODING, READING, Data, Encoding, Json, Reading
from faast.cli._output import emit, one_line_errors, show_table
from faast.cli._rows import batches, begun, named, opened
from faast.cli.evaluate import measure
from faast.data import RowSource
from faast.estimators.labels import as_labels
from faast.evaluation.baselines import BASELINES
from faast.evaluation.measure import OURS, Labelled, check_methods

USUAL = ("nearest-mean", "k-nn", "ridge-cv", "logistic")


@one_line_errors
def compare(
    train: Data,
    test: Data,
    method: Annotated[
        list[str] | None,
        typer.Option(help=f"Beside ours; may be repeated. {', '.join(BASELINES)}."),
    ] = None,
    encoding: Encoding = ENCODING,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Learn TRAIN with several methods and measure each on TEST."""
    methods = method or list(USUAL)
    check_methods(methods)
    rows = encoded_pair(train, test, encoding, reading)
    measured: dict[str, dict[str, Any]] = {}
    steps = [OURS, *methods]
    for name in progress_bar(steps, lambda: len(measured) / len(steps), "Comparing", enabled=True):
        measured[name] = _measured(name, *rows)
    if json:
        flat = {
            f"{name}_{fact}".replace("-", "_"): value
            for name, facts in measured.items()
            for fact, value in facts.items()
        }
        emit({"rows": len(rows[0][0]), "test_rows": len(rows[1][0]), **flat}, json)
        return
    show_table(
        f"{len(rows[0][0]):,} rows learned, {len(rows[1][0]):,} asked, the same features for all",
        ["", "accuracy", "macro F1", "calibration error", "seconds to fit"],
        [
            [
                name,
                f"{facts['accuracy']:.1%}",
                f"{facts['macro_f1']:.3f}",
                f"{facts['calibration_error']:.3f}" if "calibration_error" in facts else "",
                f"{facts['fit_seconds']:.2f}",
            ]
            for name, facts in measured.items()
        ],
    )


def encoded_pair(
    train: str, test: str, encoding: Encoding, reading: Reading
) -> tuple[Labelled, Labelled]:
    """Read two files of rows and encode them alike, without a prior."""
    learner = begun(train, encoding, reading, class_names=False)
    learned, asked = (_encoded(learner, opened(learner, data, reading)) for data in (train, test))
    classes = set(learned[1].tolist())
    if len(classes) < 2:
        raise ValueError(f"{train} holds one class, {classes.pop()!r}; there is nothing to compare")
    return learned, asked


def _encoded(learner: Learner, source: RowSource) -> tuple[AnyArray, AnyArray]:
    features: list[AnyArray] = []
    labels: list[Hashable] = []
    with named(source):
        for batch in batches(source, f"Encoding {source.name}"):
            features.append(learner.features(batch.rows))
            labels += batch.labels or []
        return np.concatenate(features), as_labels(labels)


def _measured(
    name: str, train: tuple[AnyArray, AnyArray], test: tuple[AnyArray, AnyArray]
) -> dict[str, Any]:
    model: Any = FaastClassifier() if name == OURS else BASELINES[name]()
    began = time.perf_counter()
    model.fit(*train)
    model.predict(test[0][:1])  # solving may be lazy
    seconds = time.perf_counter() - began
    honest = hasattr(model, "predict_proba")
    scores = model.predict_proba(test[0]) if honest else model.decision_function(test[0])
    facts, _, _ = measure(test[1], model.classes_, scores if honest else softmax(scores, axis=1))
    if not honest:
        del facts["calibration_error"]
    del facts["rows"]
    return facts | {"fit_seconds": seconds}
