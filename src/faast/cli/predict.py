"""`faast predict`: predict labels and probabilities, or numbers and intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from faast import FaastRegressor
from faast._utils.arrays import AnyArray
from faast.cli._abstention import ABSTAINING, Abstaining, Abstention
from faast.cli._columns import ColumnOrder
from faast.cli._model import FaastModel, load_model, open_encoder
from faast.cli._numbers import predict_numbers
from faast.cli._options import (
    READING,
    Interval,
    Json,
    Model,
    OnError,
    Reading,
    Targets,
    rows_argument,
)
from faast.cli._output import Answers, emit, join_answers, write_csv
from faast.cli._rows import name_source, open_source, read_batches
from faast.data import RowSource
from faast.data.cells import parse_text
from faast.data.images import SUFFIXES


def predict(
    model: Model,
    data: Annotated[
        str | None,
        rows_argument(
            "DATA",
            "Rows to predict, without labels or with labels that are ignored",
            "standard input: one text per line, or CSV if the first line is a header that names "
            "text, sentence or the labels",
        ),
    ] = None,
    row: Annotated[
        str | None,
        typer.Option(
            help="One row instead of DATA: a text, an image file, or numbers separated by commas, "
            "in the order of the columns that were learned."
        ),
    ] = None,
    abstaining: Abstaining = ABSTAINING,
    reading: Reading = READING,
    target: Targets = None,
    interval: Interval = 0.9,
    safe_cells: Annotated[
        bool,
        typer.Option(
            "--safe-cells",
            help="Write an apostrophe before answers that begin with = + - or @, which a "
            "spreadsheet would run as formulas.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Predict a label or a number for every row, and how sure it is.

    The answers are CSV on standard output, one line per row; --json writes one object instead.
    """
    if (data is None) == (row is None):
        raise ValueError("name either a file of rows or one row with --row")
    learner = load_model(model)
    open_encoder(learner)
    unsure = Abstention(learner, abstaining)
    source: RowSource | None = None
    answer = partial(_answer, learner, unsure=unsure, coverage=interval)
    if row is not None or _is_image(learner, str(data)):
        features = _encode_one(learner, str(data) if row is None else row)
        answers = iter([answer(features)])
    else:
        source = open_source(learner, str(data), reading, targets=target, labelled=False)
        answers = _answer_source(learner, source, answer, reading.on_error is OnError.SKIP)
    if not json:
        write_csv(answers, safe_cells)
        unsure.report()
        return
    columns = join_answers(answers)
    skipped = 0 if source is None else source.skipped
    rows = len(next(iter(columns.values())))
    emit({"rows": rows, "rows_skipped": skipped, **unsure.facts, **columns}, json)


def _answer_source(
    learner: FaastModel, source: RowSource, answer: Callable[[AnyArray], Answers], numbered: bool
) -> Iterator[Answers]:
    """Answer batch by batch; name the images, and number the rows if some may be skipped."""
    with name_source(source):
        for batch in read_batches(source, "Predicting", ColumnOrder(learner)):
            columns: Answers = {source.reader.unit: batch.numbers} if numbered else {}
            if all(isinstance(row, Path) for row in batch.rows):
                columns["image"] = [str(row) for row in batch.rows]
            yield columns | answer(learner.encode(batch.rows))


def _encode_one(learner: FaastModel, row: str) -> AnyArray:
    if learner.modality != "features":
        return learner.encode([parse_text(row)])
    try:
        numbers = [float(number) for number in row.split(",")]
    except ValueError as error:
        raise ValueError(f"--row must be numbers separated by commas: {error}") from error
    return np.array([numbers])


def _answer(
    learner: FaastModel, features: AnyArray, unsure: Abstention, coverage: float
) -> Answers:
    if isinstance(learner, FaastRegressor):
        return predict_numbers(learner, features, coverage)
    asked = learner.on_features()  # so that a row is encoded once for both questions
    probabilities = asked.predict_proba(features)
    answers: Answers = {
        "label": learner.classes_[probabilities.argmax(axis=1)].tolist(),
        "probability": probabilities.max(axis=1).tolist(),
    }
    if learner.measures_novelty:
        answers["novelty"] = asked.novelty_score(features).tolist()
    return unsure.withhold(answers, asked, features)


def _is_image(learner: FaastModel, data: str) -> bool:
    path = Path(data)
    return learner.modality == "image" and path.suffix.lower() in SUFFIXES and path.is_file()
