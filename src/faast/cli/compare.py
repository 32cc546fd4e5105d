"""`faast compare`: faast and other methods on the same features."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import numpy as np

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
from faast.evaluation.measure import OURS, Labelled, build, check_methods, measure

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
    found: dict[str, dict[str, float]] = {}
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


def _measure(method: str, learned: Labelled, asked: Labelled) -> dict[str, float]:
    done = measure(partial(build, method), learned, asked)
    facts = {
        "accuracy": done.accuracy,
        "macro_f1": done.macro_f1,
        "calibration_error": done.ece,
        "fit_seconds": done.wall_seconds,
    }
    return {name: value for name, value in facts.items() if not np.isnan(value)}
