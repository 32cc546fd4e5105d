"""`faast predict`: predict labels and probabilities, or numbers and intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from faast import FaastClassifier, FaastRegressor
from faast._utils.arrays import AnyArray
from faast.cli._abstention import ABSTAINING, Abstaining, Abstention
from faast.cli._columns import ColumnOrder
from faast.cli._label_sets import answer_label_sets, choose_separator, join_label_sets
from faast.cli._model import FaastModel, load_model, open_encoder
from faast.cli._options import (
    LINES_OR_CSV,
    READING,
    Interval,
    Json,
    Model,
    OnError,
    Reading,
    Targets,
    rows_argument,
)
from faast.cli._output import Answers, emit, format_probabilities, join_answers, write_csv
from faast.cli._rows import name_source, open_source, parse_row, read_batches
from faast.data import RowSource
from faast.data.images import SUFFIXES
from faast.data.kept import KeepingReader
from faast.data.lines import LinesReader
from faast.estimators.tables import distinct_names
from faast.estimators.targets import TargetKind


def predict(
    model: Model,
    data: Annotated[
        str | None,
        rows_argument(
            "DATA",
            "Rows to predict, without labels or with labels that are ignored",
            LINES_OR_CSV,
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
    keep: Annotated[
        bool, typer.Option("--keep", help="Write the columns of DATA too, before the answers.")
    ] = False,
    path_confidence: Annotated[
        float | None,
        typer.Option(
            "--path-confidence",
            help="For labels that are paths, such as card/lost: answer also the longest part of "
            "the path that is at least this probable, such as 0.9.",
        ),
    ] = None,
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

    The answers are CSV on standard output, one line per row; --json writes one object instead. A
    blank line of a text file gets an empty answer, so that answers stay beside their lines. Several
    labels of a row stand in one cell, and --json also has the probability of every label.
    """
    if (data is None) == (row is None):
        raise ValueError("name either a file of rows or one row with --row")
    learner = load_model(model)
    open_encoder(learner)
    unsure = Abstention(learner, abstaining)
    separator = None
    if isinstance(learner, FaastClassifier) and learner.target_kind_ is not TargetKind.LABEL:
        separator = choose_separator(learner, reading.label_separator)
    source: RowSource | None = None
    answer = _Answer(learner, unsure, interval, path_confidence)
    if row is not None or _is_image(learner, str(data)):
        if keep:
            raise ValueError("--keep keeps the columns of a file; leave it out for a single row")
        given = parse_row(learner, str(data) if row is None else row)
        batches = iter([_Answered({}, answer(learner.encode([given])))])
    else:
        source = open_source(learner, str(data), reading, targets=target, labelled=False)
        batches = _answer_source(learner, source, answer, reading.on_error is OnError.SKIP, keep)
    if not json:
        if separator is not None:
            batches = (
                _Answered(kept, join_label_sets(answers, separator)) for kept, answers in batches
            )
        # before they are joined: a kept column may be called probability too
        formatted = ((kept, format_probabilities(answers)) for kept, answers in batches)
        tables = (kept | distinct_names(answers, list(kept)) for kept, answers in formatted)
        write_csv(tables, safe_cells)
        unsure.report()
        return
    found = list(batches)
    columns = join_answers([answers for _, answers in found])
    facts: dict[str, Any] = {
        "rows": len(next(iter(columns.values()))),
        "rows_skipped": 0 if source is None else source.skipped,
        **unsure.facts,
    }
    if keep:
        facts["columns"] = {
            name: [value for kept, _ in found for value in kept[name]] for name in found[0].kept
        }
    emit({**facts, **columns}, json)


class _Answered(NamedTuple):
    """Columns of the input that are kept, and columns of answers, of some rows."""

    kept: Answers
    answers: Answers


class _Answer:
    """Answers features as the options say."""

    def __init__(
        self,
        learner: FaastModel,
        unsure: Abstention,
        interval: float,
        path_confidence: float | None,
    ) -> None:
        self._asked = learner.on_features()  # so that a row is encoded once for all questions
        self._unsure, self._interval, self._confidence = unsure, interval, path_confidence
        if path_confidence is not None and isinstance(learner, FaastRegressor):
            raise ValueError("--path-confidence is for labels that are paths, not for numbers")

    def __call__(self, features: AnyArray) -> Answers:
        asked = self._asked
        if isinstance(asked, FaastRegressor):
            return asked.predict_columns(features, self._interval)
        if asked.target_kind_ is not TargetKind.LABEL:
            return answer_label_sets(asked, features)
        answers = self._unsure.withhold(asked.predict_columns(features), asked, features)
        if self._confidence is not None:
            answers["path"] = asked.predict_path(features, self._confidence).tolist()
        return answers


def _answer_source(
    learner: FaastModel, source: RowSource, answer: _Answer, numbered: bool, keep: bool
) -> Iterator[_Answered]:
    """Answer batch by batch; name the images, and number the rows if some may be skipped."""
    has_gaps = isinstance(source.reader, LinesReader) and not numbered
    keeping = KeepingReader(source.reader)
    if keep:
        source.reader = keeping
    following = 1
    with name_source(source):
        for batch in read_batches(source, "Predicting", ColumnOrder(learner)):
            columns: Answers = {source.reader.unit: batch.numbers} if numbered else {}
            if all(isinstance(row, Path) for row in batch.rows):
                columns["image"] = [str(row) for row in batch.rows]
            answers = columns | answer(learner.encode(batch.rows))
            kept = keeping.take(batch.numbers) if keep else {}
            if has_gaps:
                kept = _fill_gaps(kept, batch.numbers, following)
                answers = _fill_gaps(answers, batch.numbers, following)
                following = batch.numbers[-1] + 1
            yield _Answered(kept, answers)


def _fill_gaps(columns: Answers, numbers: Sequence[int], following: int) -> Answers:
    """Put an empty value where the lines of rows leave one out, from the line `following` on."""
    places = [number - following for number in numbers]
    filled: Answers = {name: [None] * (places[-1] + 1) for name in columns}
    for name, values in columns.items():
        for place, value in zip(places, values, strict=True):
            filled[name][place] = value
    return filled


def _is_image(learner: FaastModel, data: str) -> bool:
    path = Path(data)
    return learner.modality == "image" and path.suffix.lower() in SUFFIXES and path.is_file()
