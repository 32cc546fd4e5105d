"""Rows of data files: opened as the model needs them, read with a progress bar, encoded."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import typer

from faast import FaastClassifier
from faast._utils.arrays import AnyArray
from faast._utils.progress import progress_bar
from faast.cli._columns import ColumnOrder
from faast.cli._label_sets import choose_separator
from faast.cli._model import FaastModel, new_classifier
from faast.cli._numbers import target_columns
from faast.cli._options import Encoding, Reading
from faast.cli._output import escape_controls
from faast.data import Batch, RowSource, open_reader, open_rows
from faast.data.cells import parse_text
from faast.data.label_cells import guess_separator
from faast.estimators.labels import as_labels
from faast.estimators.targets import TargetKind
from faast.evaluation.measure import Labelled


def open_source(
    model: FaastModel,
    data: str,
    reading: Reading,
    *,
    targets: Sequence[str] | None = None,
    labelled: bool = True,
) -> RowSource:
    """Open a file of rows for a model; see `faast.data.open_rows`.

    Parameters
    ----------
    model : FaastClassifier or FaastRegressor
        Its modality says what a row is.
    data : str
        What the user named.
    reading : Reading
    targets : sequence of str, optional
        What the user named as columns of numbers; by default those that the model has learned.
    labelled : bool
        Whether to read labels or numbers.
    """
    separator = _separator(model, data, reading) if labelled else None
    return open_rows(
        data,
        modality=model.modality,
        row_column=reading.text_column,
        label_column=reading.label_column,
        labelled=labelled,
        on_error=reading.on_error.value,
        format=reading.format,
        split=reading.split,
        target_columns=target_columns(model, targets, labelled),
        label_separator=separator,
        marks=reading.marks,
    )


def _separator(model: FaastModel, data: str, reading: Reading) -> str | None:
    """Return what separates labels: what the user named, or what the file plainly uses."""
    if not isinstance(model, FaastClassifier):
        return None
    kind = model.target_kind_
    if reading.label_separator is not None and kind is not None and kind.several:
        return choose_separator(model, reading.label_separator) or None
    if reading.label_separator is not None or reading.marks:
        return reading.label_separator or None
    if kind is TargetKind.LABEL:
        return None
    found = None
    if data != "-" and not Path(data).is_dir():
        reader = open_reader(data, format=reading.format, split=reading.split)
        found = guess_separator(reader, reading.label_column)
    if found is not None:
        typer.echo(
            f'note: labels are separated by "{found}"; --label-separator "" reads each cell as '
            "one label",
            err=True,
        )
    return choose_separator(model, None) if found is None and kind is not None else found


def read_batches(source: RowSource, description: str, columns: ColumnOrder) -> Iterator[Batch]:
    """Yield batches of rows with a progress bar, and at the end report skipped rows.

    Parameters
    ----------
    source : RowSource
    description : str
        Shown beside the bar.
    columns : ColumnOrder
        The order in which tables of numbers give their columns.
    """
    for batch in progress_bar(source, lambda: source.fraction, description):
        yield columns.arrange(batch, source)
    report_skipped(source)


def report_skipped(source: RowSource) -> None:
    """Say on standard error which rows of a source were skipped, and why."""
    for message in source.messages:
        typer.echo(f"skipped: {escape_controls(message)}", err=True)
    more = source.skipped - len(source.messages)
    if more:
        typer.echo(f"skipped: {more} more rows", err=True)


@contextmanager
def name_source(source: RowSource) -> Iterator[None]:
    """Prefix the message of a ValueError with the name of the source, unless it contains it."""
    try:
        yield
    except ValueError as error:
        if source.name in str(error):
            raise
        raise ValueError(f"{source.name}: {error}") from error


def parse_row(learner: FaastModel, given: str) -> Any:
    """Return the row that --row gives: a text, the path of an image, or features (d,).

    Raises
    ------
    ValueError
        If it is no such row.
    """
    if learner.modality != "features":
        return parse_text(given)
    try:
        return np.array([float(number) for number in given.split(",")])
    except ValueError as error:
        raise ValueError(f"--row must be numbers separated by commas: {error}") from error


def encode_pair(
    train: str, test: str, encoding: Encoding, reading: Reading
) -> tuple[Labelled, Labelled]:
    """Read two files of labelled rows and encode both with the encoder that TRAIN needs.

    Raises
    ------
    ValueError
        If `train` holds a single class, or none of `test`.
    """
    classifier = new_classifier(train, encoding, reading, class_names=False)
    columns = ColumnOrder(classifier)
    learned, asked = (
        _encode(classifier, open_source(classifier, data, reading), columns)
        for data in (train, test)
    )
    classes = set(learned[1].tolist())
    if len(classes) < 2:
        raise ValueError(
            f"{train} holds one class, {classes.pop()!r}; comparing methods needs two or more"
        )
    if not classes & set(asked[1].tolist()):
        raise ValueError(
            f"no label of {test} is a label of {train}: {list(asked[1][:5])} and "
            f"{list(learned[1][:5])}; name the column of the labels with --label-column"
        )
    return learned, asked


def _encode(
    classifier: FaastClassifier, source: RowSource, columns: ColumnOrder
) -> tuple[AnyArray, AnyArray]:
    features: list[AnyArray] = []
    labels: list[Hashable] = []
    with name_source(source):
        for batch in read_batches(source, f"Encoding {source.name}", columns):
            features.append(classifier.encode(batch.rows))
            labels += batch.labels or []
        if any(isinstance(label, frozenset) for label in labels):
            raise ValueError(
                "methods are compared on rows with one label each; measure a model of several "
                "labels with faast evaluate"
            )
        return np.concatenate(features), as_labels(labels)
