"""`faast compare`: faast and other methods on the same features."""

from __future__ import annotations

import time
from typing import Annotated, Any

from scipy.special import softmax

from faast._utils.progress import progress_bar
from faast.cli._options import (
    ENCODING,
    READING,
    Encoding,
    Json,
    Reading,
    Test,
    Train,
    method_option,
)
from faast.cli._output import emit, flatten, show_table
from faast.cli._rows import encode_pair
from faast.cli.evaluate import measure
from faast.evaluation.measure import OURS, Labelled, build, check_methods

USUAL_METHODS = ("nearest-mean", "k-nn", "ridge-cv", "logistic")


def compare(
    train: Train,
    test: Test,
    method: Annotated[list[str] | None, method_option(USUAL_METHODS)] = None,
    encoding: Encoding = ENCODING,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Learn TRAIN with several methods and test each on TEST."""
    methods = [OURS, *(method or USUAL_METHODS)]
    check_methods(methods[1:])
    learned, asked = encode_pair(train, test, encoding, reading)
    found: dict[str, dict[str, Any]] = {}
    for name in progress_bar(methods, lambda: len(found) / len(methods), "Comparing"):
        found[name] = _measure(name, learned, asked)
    n_learned, n_asked = len(learned[0]), len(asked[0])
    if json:
        emit({"rows": n_learned, "test_rows": n_asked, **flatten(found)}, json)
        return
    show_table(
        f"{n_learned:,} rows learned, {n_asked:,} tested, the same features for all methods",
        ["", "accuracy", "macro F1", "calibration error", "seconds to fit"],
        [
            [
                name,
                f"{facts['accuracy']:.1%}",
                f"{facts['macro_f1']:.3f}",
                f"{facts['calibration_error']:.3f}" if "calibration_error" in facts else "",
                f"{facts['fit_seconds']:.2f}",
            ]
            for name, facts in found.items()
        ],
    )


def _measure(name: str, learned: Labelled, asked: Labelled) -> dict[str, Any]:
    model = build(name)
    began = time.perf_counter()
    model.fit(*learned)
    model.predict(asked[0][:1])  # solving may be lazy
    seconds = time.perf_counter() - began
    honest = hasattr(model, "predict_proba")
    scores = model.predict_proba(asked[0]) if honest else model.decision_function(asked[0])
    facts, _, _ = measure(asked[1], model.classes_, scores if honest else softmax(scores, axis=1))
    if not honest:
        del facts["calibration_error"]
    del facts["rows"]
    return facts | {"fit_seconds": seconds}
