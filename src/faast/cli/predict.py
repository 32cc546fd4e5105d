"""`faast predict`: answers for rows."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from faast._utils.arrays import AnyArray
from faast.cli._model import Learner
from faast.cli._options import DATA_HELP, READING, Json, Model, OnError, Reading
from faast.cli._output import emit, one_line_errors
from faast.cli._rows import batches, named, opened
from faast.data import RowSource
from faast.data.cells import parse_text
from faast.data.images import SUFFIXES
from faast.estimators.explanation import novelty_of

Answers = dict[str, list[Any]]
"""Columns of answers, one value a row."""

PLURAL = {"probability": "probabilities", "novelty": "novelties"}


@one_line_errors
def predict(
    model: Model,
    data: Annotated[str | None, typer.Argument(help=DATA_HELP, show_default=False)] = None,
    row: Annotated[
        str | None,
        typer.Option(help="One row instead of a file: a text, an image file, or numbers."),
    ] = None,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Predict a label and its probability for every row: CSV on stdout."""
    if (data is None) == (row is None):
        raise ValueError("name either a file of rows or one row with --row")
    learner = Learner.load(model)
    learner.open_encoder()
    source: RowSource | None = None
    if row is not None or _is_image(learner, str(data)):
        parts = iter([_answers(learner, _one_row(learner, str(data) if row is None else row))])
    else:
        source = opened(learner, str(data), reading, labelled=False)
        parts = _read_answers(learner, source, numbered=reading.on_error is OnError.SKIP)
    if json:
        columns = _collected(parts)
        skipped = 0 if source is None else source.skipped
        emit({"rows": len(columns["labels"]), "rows_skipped": skipped, **columns}, json)
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, answers in enumerate(parts):
        if number == 0:
            writer.writerow(answers)
        shown = answers | {"probability": [f"{p:.6f}" for p in answers["probability"]]}
        writer.writerows(zip(*shown.values(), strict=True))


def _read_answers(learner: Learner, source: RowSource, numbered: bool) -> Iterator[Answers]:
    """Answer batch after batch, saying of which image, and of which line where some may miss."""
    with named(source):
        for batch in batches(source, "Predicting"):
            place: Answers = {source.reader.unit: batch.numbers} if numbered else {}
            if all(isinstance(row, Path) for row in batch.rows):
                place["image"] = [str(row) for row in batch.rows]
            yield place | _answers(learner, learner.features(batch.rows))


def _is_image(learner: Learner, data: str) -> bool:
    path = Path(data)
    return learner.modality == "image" and path.suffix.lower() in SUFFIXES and path.is_file()


def _collected(parts: Iterable[Answers]) -> Answers:
    columns: Answers = {}
    for answers in parts:
        for name, values in answers.items():
            columns.setdefault(PLURAL.get(name, f"{name}s"), []).extend(values)
    return columns


def _answers(learner: Learner, features: AnyArray) -> Answers:
    classifier = learner.classifier
    probabilities = classifier.predict_proba(features)
    answers: Answers = {
        "label": classifier.classes_[probabilities.argmax(axis=1)].tolist(),
        "probability": probabilities.max(axis=1).tolist(),
    }
    novelty = novelty_of(classifier, features)
    return answers if novelty is None else answers | {"novelty": novelty.tolist()}


def _one_row(learner: Learner, row: str) -> AnyArray:
    if learner.modality != "features":
        return learner.features([parse_text(row)])
    try:
        return np.array([[float(number) for number in row.split(",")]])
    except ValueError as error:
        raise ValueError(f"--row must be numbers with commas between, {error}") from error
