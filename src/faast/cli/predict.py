"""`faast predict`: predict labels and probabilities, and novelty if the model scores it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from faast import FaastClassifier
from faast._utils.arrays import AnyArray
from faast.cli._abstention import ABSTAINING, Abstaining, Abstention
from faast.cli._columns import ColumnOrder
from faast.cli._model import load_classifier, open_encoder
from faast.cli._options import READING, Json, Model, OnError, Reading, rows_argument
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
    """Predict a label and its probability for every row.

    The answers are CSV on standard output, one line per row; --json writes one object instead.
    """
    if (data is None) == (row is None):
        raise ValueError("name either a file of rows or one row with --row")
    classifier = load_classifier(model)
    open_encoder(classifier)
    unsure = Abstention(classifier, abstaining)
    source: RowSource | None = None
    if row is not None or _is_image(classifier, str(data)):
        answers = iter([_predict_one(classifier, str(data) if row is None else row, unsure)])
    else:
        source = open_source(classifier, str(data), reading, labelled=False)
        answers = _predict_source(classifier, source, reading.on_error is OnError.SKIP, unsure)
    if not json:
        write_csv(answers, safe_cells)
        unsure.report()
        return
    columns = join_answers(answers)
    skipped = 0 if source is None else source.skipped
    facts = {"rows": len(columns["labels"]), "rows_skipped": skipped, **unsure.facts}
    emit({**facts, **columns}, json)


def _predict_source(
    classifier: FaastClassifier, source: RowSource, numbered: bool, unsure: Abstention
) -> Iterator[Answers]:
    """Predict batch by batch; name the images, and number the rows if some may be skipped."""
    with name_source(source):
        for batch in read_batches(source, "Predicting", ColumnOrder(classifier)):
            columns: Answers = {source.reader.unit: batch.numbers} if numbered else {}
            if all(isinstance(row, Path) for row in batch.rows):
                columns["image"] = [str(row) for row in batch.rows]
            yield columns | _predict(classifier, classifier.encode(batch.rows), unsure)


def _predict_one(classifier: FaastClassifier, row: str, unsure: Abstention) -> Answers:
    if classifier.modality != "features":
        return _predict(classifier, classifier.encode([parse_text(row)]), unsure)
    try:
        numbers = [float(number) for number in row.split(",")]
    except ValueError as error:
        raise ValueError(f"--row must be numbers separated by commas: {error}") from error
    return _predict(classifier, np.array([numbers]), unsure)


def _predict(classifier: FaastClassifier, features: AnyArray, unsure: Abstention) -> Answers:
    asked = classifier.on_features()  # so that a row is encoded once for both questions
    probabilities = asked.predict_proba(features)
    answers: Answers = {
        "label": classifier.classes_[probabilities.argmax(axis=1)].tolist(),
        "probability": probabilities.max(axis=1).tolist(),
    }
    if classifier.measures_novelty:
        answers["novelty"] = asked.novelty_score(features).tolist()
    return unsure.withhold(answers, asked, features)


def _is_image(classifier: FaastClassifier, data: str) -> bool:
    path = Path(data)
    return classifier.modality == "image" and path.suffix.lower() in SUFFIXES and path.is_file()
