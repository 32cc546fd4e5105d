"""Rows for a command: opened, followed by a bar, their labels of the model's kind."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager

import typer

from faast import FaastClassifier
from faast._utils.progress import progress_bar
from faast.cli._model import Learner
from faast.cli._options import Encoding, Reading
from faast.data import Batch, RowSource, guess_modality, open_reader, open_rows
from faast.estimators.class_memory import ClassMemory


def begun(
    data: str,
    encoding: Encoding,
    reading: Reading,
    class_names: bool | None = None,
    novelty: bool = False,
) -> Learner:
    """Begin a model for rows, with the encoder that is named or else the one that they need."""
    if encoding.revision is not None and encoding.encoder is None:
        raise ValueError("--revision is one of an encoder's checkpoint; name it with --encoder")
    if encoding.encoder is not None:
        return Learner.of_encoder(encoding.encoder, encoding.revision, class_names, novelty)
    if data == "-":
        return Learner.of_rows("text", class_names, novelty)
    reader = open_reader(data, format=reading.format, split=reading.split)
    modality = guess_modality(reader, reading.text_column, reading.label_column)
    return Learner.of_rows(modality, class_names, novelty)


def opened(learner: Learner, data: str, reading: Reading, *, labelled: bool = True) -> RowSource:
    """Open rows of the learner's kind; see `open_rows`."""
    return open_rows(
        data,
        modality=learner.modality,
        row_column=reading.text_column,
        label_column=reading.label_column,
        labelled=labelled,
        on_error=reading.on_error.value,
        format=reading.format,
        split=reading.split,
    )


def batches(source: RowSource, description: str) -> Iterator[Batch]:
    """Read batches with a bar; afterwards say on stderr which rows were skipped."""
    yield from progress_bar(source, lambda: source.fraction, description, enabled=True)
    report_skipped(source)


def report_skipped(source: RowSource) -> None:
    """Say on stderr which rows were skipped."""
    for message in source.messages:
        typer.echo(f"skipped: {message}", err=True)
    if source.skipped > len(source.messages):
        typer.echo(f"skipped: {source.skipped - len(source.messages)} rows more", err=True)


@contextmanager
def named(source: RowSource) -> Iterator[None]:
    """Name the source in errors about its rows that do not."""
    try:
        yield
    except ValueError as error:
        if source.name in str(error):
            raise
        raise ValueError(f"{source.name}: {error}") from error


def labels_like(classifier: FaastClassifier, labels: Sequence[Hashable]) -> list[Hashable]:
    """Read integers as text or text as integers, where the classifier's labels are of that kind.

    Text files do not tell one from the other.
    """
    if _has_integers(classifier):
        return [_integer(label) for label in labels]
    if _has_texts(classifier):
        return [str(label) if type(label) is int else label for label in labels]
    return list(labels)


def name_alike(*classifiers: FaastClassifier) -> None:
    """Make integer labels text where a classifier to be merged has text."""
    if not any(map(_has_texts, classifiers)):
        return
    for classifier in filter(_has_integers, classifiers):
        if isinstance(classifier.learned_, ClassMemory):
            labels = classifier.classes_.tolist()
            classifier.learned_.rename({label: str(label) for label in labels})


def name_integers(classifier: FaastClassifier, source: RowSource) -> None:
    """Make labels integers where all that a text file had are: text has no kinds."""
    learned = classifier.learned_
    if source.reader.typed or not isinstance(learned, ClassMemory):
        return
    renamed = {label: _integer(label) for label in learned.classes.tolist()}
    if not any(isinstance(label, str) for label in renamed.values()):
        learned.rename(renamed)


def _has_integers(classifier: FaastClassifier) -> bool:
    return classifier.classes_.dtype.kind in "iu"


def _has_texts(classifier: FaastClassifier) -> bool:
    return all(isinstance(label, str) for label in classifier.classes_.tolist())


def _integer(label: Hashable) -> Hashable:
    try:
        number = int(str(label))
    except ValueError:
        return label
    small = abs(number) < 2**63 and str(number) == str(label)
    return number if small else label
