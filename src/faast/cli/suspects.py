"""`faast suspects`: find learned rows whose label is probably wrong."""

from __future__ import annotations

import time
from typing import Annotated, Any

import numpy as np
import typer

from faast._utils.arrays import AnyArray
from faast.cli._columns import ColumnOrder
from faast.cli._labels import labels_of_classes
from faast.cli._model import load_classifier, open_encoder
from faast.cli._options import READING, Json, Model, Reading, rows_argument
from faast.cli._output import Answers, emit_answers
from faast.cli._rows import name_source, open_source, read_batches
from faast.data import Batch, RowSource
from faast.estimators.suspects import LabelCheck, Suspects
from faast.estimators.targets import Targets, as_targets


def suspects(
    model: Model,
    train: Annotated[str, rows_argument("TRAIN", "Rows that the model learned, with their labels")],
    most: Annotated[
        int | None, typer.Option("--most", "-n", min=1, help="Report at most this many rows.")
    ] = None,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Find learned rows whose label is probably wrong.

    Each row is judged by the model without this row, which suggests another label. The suspects are
    CSV on standard output, the most doubtful first; nothing is changed. Read them, correct the
    suggestions, delete the lines whose label is right, and give the file to faast relabel.
    """
    started = time.perf_counter()
    classifier = load_classifier(model)
    open_encoder(classifier)
    check = classifier.label_check()
    source = open_source(classifier, train, reading)
    parts: list[tuple[AnyArray, Suspects]] = []
    contents: dict[int, Any] = {}
    with name_source(source):
        for batch in read_batches(source, "Checking", ColumnOrder(classifier)):
            rows = classifier.features_to_check(batch.rows)
            targets = as_targets(labels_of_classes(classifier, batch.labels))
            learned = _report_unlearned(check, source, batch, rows, targets)
            numbers = np.array(batch.numbers)[learned]
            found = check.suspects(rows[learned], targets[learned])
            parts.append((numbers, found))
            if classifier.modality != "features":
                contents |= {
                    int(numbers[row]): str(batch.rows[learned[row]]) for row in found.flagged().rows
                }
    ranked = Suspects.join(parts)
    flagged = ranked.flagged().first(most)
    answers: Answers = {
        source.reader.unit: flagged.rows.tolist(),
        "label": flagged.given.tolist(),
        "suggested": flagged.suggested.tolist(),
        "doubt": np.round(flagged.doubt, 6).tolist(),
    }
    if contents:
        answers[classifier.modality] = [contents[number] for number in flagged.rows.tolist()]
    facts = {
        "rows_checked": len(ranked.rows),
        "rows_skipped": source.skipped,
        "estimated_wrong": round(ranked.n_wrong, 1),
        "flagged": ranked.n_flagged,
        "seconds": time.perf_counter() - started,
    }
    emit_answers(answers, facts, json)


def _report_unlearned(
    check: LabelCheck, source: RowSource, batch: Batch, rows: AnyArray, targets: Targets
) -> AnyArray:
    """Report rows of a batch that were never learned, and return the places of the others."""
    learned = check.learned(rows, targets)
    labels = targets.each().tolist()
    for place in np.flatnonzero(~learned):
        source.report(
            batch.numbers[place], f"the row was never learned with the label {labels[place]!r}"
        )
    return np.flatnonzero(learned)
