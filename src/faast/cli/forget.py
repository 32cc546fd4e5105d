"""`faast forget`: remove learned rows from a model, as if it had never seen them."""

from __future__ import annotations

from typing import Annotated

from faast.cli._columns import ColumnOrder
from faast.cli._labels import answers_of
from faast.cli._model import (
    FaastModel,
    count_answers,
    count_rows,
    hold_model,
    load_model,
    open_encoder,
    solve_and_save,
)
from faast.cli._options import READING, Json, Model, OtherOutput, Reading, Targets, rows_argument
from faast.cli._output import check_model_output, emit_saved
from faast.cli._rows import open_source, read_batches
from faast.data import Batch, RowSource


def forget(
    model: Model,
    data: Annotated[str, rows_argument("DATA", "Rows to forget, labelled as they were learned")],
    output: OtherOutput = None,
    reading: Reading = READING,
    target: Targets = None,
    json: Json = False,
) -> None:
    """Remove learned rows, as if they had never been seen."""
    output = output or model
    check_model_output(output, data)
    with hold_model(output):
        learner = load_model(model)
        open_encoder(learner)
        source = open_source(learner, data, reading, targets=target)
        columns = ColumnOrder(learner)
        n_forgotten = sum(
            _forget_batch(learner, source, batch)
            for batch in read_batches(source, "Forgetting", columns)
        )
        if not learner.n_rows_:
            raise ValueError("nothing would be left of the model; delete its file instead")
        solve_and_save(learner, output)
    emit_saved(
        {
            "model": str(output),
            "rows_forgotten": n_forgotten,
            "rows_skipped": source.skipped,
            "rows_left": count_rows(learner),
            **count_answers(learner),
        },
        json,
        output,
    )


def _forget_batch(learner: FaastModel, source: RowSource, batch: Batch) -> int:
    """Forget a batch and return how many rows were forgotten.

    If it holds a row that was never learned, each half is tried in turn, so that the row can be
    reported by its number.
    """
    rows, labels, numbers = batch
    if not learner.n_rows_:
        for number in numbers:
            source.report(number, "a row to forget was never learned: the model has no rows left")
        return 0
    try:
        learner.forget(rows, answers_of(learner, labels))
    except ValueError as error:
        if len(rows) == 1:
            source.report(numbers[0], str(error).removeprefix("row 0: "))
            return 0
        half = len(rows) // 2
        return sum(
            _forget_batch(learner, source, Batch(rows[part], (labels or [])[part], numbers[part]))
            for part in (slice(half), slice(half, None))
        )
    return len(rows)
