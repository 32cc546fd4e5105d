"""`faast add`: let a model learn more rows, of known or new classes."""

from __future__ import annotations

import time
from typing import Annotated

from faast.cli._model import count_rows, hold_model, load_model, open_encoder
from faast.cli._options import READING, Json, Model, OtherOutput, Reading, Targets, rows_argument
from faast.cli._output import check_model_output, emit_saved
from faast.cli._rows import open_source
from faast.cli.learn import learn_source, save_and_describe


def add(
    model: Model,
    data: Annotated[str, rows_argument("DATA", "Labelled rows to learn")],
    output: OtherOutput = None,
    reading: Reading = READING,
    target: Targets = None,
    json: Json = False,
) -> None:
    """Learn more rows, of known or new classes or with numbers."""
    started = time.perf_counter()
    output = output or model
    check_model_output(output, data)
    with hold_model(output):
        learner = load_model(model)
        open_encoder(learner)
        source = open_source(learner, data, reading, targets=target)
        n_before = count_rows(learner)
        seconds = learn_source(learner, source)
        facts = save_and_describe(learner, source, output, started, seconds)
    emit_saved(facts | {"rows_added": count_rows(learner) - n_before}, json, output)
