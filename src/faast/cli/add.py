"""`faast add`: let a model learn more rows, of known or new classes."""

from __future__ import annotations

import time
from typing import Annotated

from faast.cli._model import count_rows, hold_model, load_classifier, open_encoder
from faast.cli._options import READING, Json, Model, OtherOutput, Reading, rows_argument
from faast.cli._output import check_output, emit_saved
from faast.cli._rows import open_source
from faast.cli.learn import learn_source, save_and_describe


def add(
    model: Model,
    data: Annotated[str, rows_argument("DATA", "Labelled rows to learn")],
    output: OtherOutput = None,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Learn more rows, of known or new classes."""
    started = time.perf_counter()
    output = output or model
    check_output(output, data)
    with hold_model(output):
        classifier = load_classifier(model)
        open_encoder(classifier)
        source = open_source(classifier, data, reading)
        n_before = count_rows(classifier)
        seconds = learn_source(classifier, source)
        facts = save_and_describe(classifier, source, output, started, seconds)
    emit_saved(facts | {"rows_added": count_rows(classifier) - n_before}, json, output)
