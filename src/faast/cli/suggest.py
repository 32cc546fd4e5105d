"""`faast suggest`: choose rows to label next from a pool without labels."""

from __future__ import annotations

import time
from typing import Annotated, Any

import numpy as np
import typer

from faast.cli._columns import ColumnOrder
from faast.cli._model import load_classifier, open_encoder
from faast.cli._options import LINES_OR_CSV, READING, Json, Model, Reading, rows_argument
from faast.cli._output import Answers, emit_answers
from faast.cli._rows import name_source, open_source, read_batches


def suggest(
    model: Model,
    pool: Annotated[
        str, rows_argument("POOL", "Rows to choose from; labels are ignored", LINES_OR_CSV)
    ],
    n: Annotated[int, typer.Option("--rows", "-n", min=1, help="Rows to suggest.")] = 20,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Choose rows to label next from a pool without labels.

    These are the rows whose labels would remove most of the doubt about the whole pool. They are
    CSV on standard output, the most useful first. The pool may be larger than memory.
    """
    started = time.perf_counter()
    classifier = load_classifier(model)
    open_encoder(classifier)
    chooser = classifier.row_chooser()
    source = open_source(classifier, pool, reading, labelled=False)
    contents: dict[int, tuple[int, Any]] = {}
    n_rows = 0
    with name_source(source):
        for batch in read_batches(source, "Reading the pool", ColumnOrder(classifier)):
            chooser.add(classifier.encode(batch.rows))
            pairs = zip(batch.numbers, batch.rows, strict=True)
            contents |= dict(enumerate(pairs, start=n_rows))
            n_rows += len(batch.rows)
            contents = {place: contents[place] for place in chooser.candidates.tolist()}
        found = chooser.choose(n)
    chosen = [contents[place] for place in found.rows.tolist()]
    answers: Answers = {
        source.reader.unit: [number for number, _ in chosen],
        "label": found.label if isinstance(found.label, list) else found.label.tolist(),
        **{
            name: np.round(getattr(found, name), 6).tolist()
            for name in ("doubt", "distance", "gain")
        },
    }
    if classifier.modality != "features":
        answers[classifier.modality] = [str(row) for _, row in chosen]
    facts = {
        "rows_in_pool": found.n_pool,
        "rows_skipped": source.skipped,
        "seconds": time.perf_counter() - started,
    }
    emit_answers(answers, facts, json)
