"""`faast forget`: remove learned rows from a model, as if it had never seen them."""

from __future__ import annotations

from typing import Annotated

from faast import FaastClassifier
from faast.cli._columns import ColumnOrder
from faast.cli._labels import labels_of_classes
from faast.cli._model import (
    count_rows,
    hold_model,
    load_classifier,
    open_encoder,
    solve_and_save,
)
from faast.cli._options import READING, Json, Model, OtherOutput, Reading, rows_argument
from faast.cli._output import check_output, emit_saved
from faast.cli._rows import open_source, read_batches
from faast.data import Batch, RowSource


def forget(
    model: Model,
    data: Annotated[str, rows_argument("DATA", "Rows to forget, labelled as they were learned")],
    output: OtherOutput = None,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Remove learned rows, as if they had never been seen."""
    output = output or model
    check_output(output, data)
    with hold_model(output):
        classifier = load_classifier(model)
        open_encoder(classifier)
        source = open_source(classifier, data, reading)
        columns = ColumnOrder(classifier)
        n_forgotten = sum(
            _forget_batch(classifier, source, batch)
            for batch in read_batches(source, "Forgetting", columns)
        )
        if not classifier.n_rows_:
            raise ValueError("nothing would be left of the model; delete its file instead")
        solve_and_save(classifier, output)
    emit_saved(
        {
            "model": str(output),
            "rows_forgotten": n_forgotten,
            "rows_skipped": source.skipped,
            "rows_left": count_rows(classifier),
            "classes": len(classifier.classes_),
        },
        json,
        output,
    )


def _forget_batch(classifier: FaastClassifier, source: RowSource, batch: Batch) -> int:
    """Forget a batch and return how many rows were forgotten.

    If it holds a row that was never learned, each half is tried in turn, so that the row can be
    reported by its number.
    """
    rows, labels, numbers = batch
    if not classifier.n_rows_:
        for number in numbers:
            source.report(number, "a row to forget was never learned: the model has no rows left")
        return 0
    try:
        classifier.forget(rows, labels_of_classes(classifier, labels))
    except ValueError as error:
        if len(rows) == 1:
            source.report(numbers[0], str(error).removeprefix("row 0: "))
            return 0
        half = len(rows) // 2
        return sum(
            _forget_batch(
                classifier, source, Batch(rows[part], (labels or [])[part], numbers[part])
            )
            for part in (slice(half), slice(half, None))
        )
    return len(rows)
