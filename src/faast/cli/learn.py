"""`faast learn --ray`: rows learned by the workers of a cluster.

Commands that change what a model has learned.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from faast.cli._model import Learner, cache_of
from faast.cli._options import (
    ENCODING,
    READING,
    Data,
    Encoding,
    Json,
    Model,
    OtherOutput,
    Output,
    Reading,
)
from faast.cli._output import emit, one_line_errors, require_output
from faast.cli._rows import (
    batches,
    begun,
    labels_like,
    name_alike,
    name_integers,
    named,
    opened,
    report_skipped,
)
from faast.data import RowSource
from faast.distributed import FileRows, learn_rows
from faast.distributed.encoding import encode_batches


def learn_on_ray(learner: Learner, source: RowSource, address: str, resume: Path | None) -> None:
    """Let a model without rows learn a source on Ray; see `faast.distributed.learn_rows`."""
    rows = FileRows([source])
    learn_rows(learner.model, rows, address=address, resume=resume, progress=True)
    report_skipped(source)


@one_line_errors
def learn(
    train: Data,
    output: Output,
    encoding: Encoding = ENCODING,
    reading: Reading = READING,
    class_names: Annotated[
        bool | None,
        typer.Option(
            "--class-names/--no-class-names",
            help="Whether names of classes speak beside their rows; so they do by default where "
            "the encoder knows meanings.",
            show_default=False,
        ),
    ] = None,
    novelty: Annotated[
        bool, typer.Option("--novelty", help="Keep what tells rows of no known class.")
    ] = False,
    keep_features: Annotated[
        bool,
        typer.Option(
            help="Keep features in OUTPUT.features, to forget rows of minilm, st, clip or hf."
        ),
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Learn on Ray: local starts it on this machine; auto, HOST:PORT or "
            "ray://HOST:PORT name a cluster.",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="With --ray: folder that keeps what was learned so far; the same command goes on "
            "from there."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Learn labelled rows and write a model file."""
    started = time.perf_counter()
    require_output(output, train)
    learner = begun(train, encoding, reading, class_names, novelty)
    if keep_features and ray is not None:
        raise ValueError("workers of --ray keep no features; leave --keep-features out")
    if keep_features:
        learner.keep_features(cache_of(output))
    if resume is not None and ray is None:
        raise ValueError("--resume keeps what workers have learned; say where they are with --ray")
    source = opened(learner, train, reading)
    if ray is None:
        emit(_learn(learner, source, output, started), json)
        return
    learn_on_ray(learner, source, ray, resume)
    facts = _written(learner, source, output, fresh=True)
    emit(facts | {"seconds": time.perf_counter() - started}, json)


@one_line_errors
def add(
    model: Model,
    data: Data,
    output: OtherOutput = None,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Learn more rows, of known or new classes."""
    started = time.perf_counter()
    require_output(output or model, data)
    learner = Learner.load(model)
    learner.open_encoder()
    source = opened(learner, data, reading)
    before = learner.n_rows
    facts = _learn(learner, source, output or model, started)
    emit(facts | {"rows_added": learner.n_rows - before}, json)


@one_line_errors
def forget(
    model: Model,
    data: Data,
    output: OtherOutput = None,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Take learned rows back, as if they had never been seen."""
    require_output(output or model, data)
    learner = Learner.load(model)
    learner.open_encoder()
    source = opened(learner, data, reading)
    n_rows = 0
    for rows, labels, numbers in batches(source, "Forgetting"):
        n_rows += _forgotten(learner, source, rows, labels or [], numbers)
    if not learner.n_rows:
        raise ValueError("nothing would be left of the model; delete its file instead")
    learner.solve_and_save(output or model)
    emit(
        {
            "model": str(output or model),
            "rows_forgotten": n_rows,
            "rows_skipped": source.skipped,
            "rows_left": learner.n_rows,
            "classes": len(learner.classifier.classes_),
        },
        json,
    )


@one_line_errors
def merge(
    first: Model,
    second: Annotated[Path, typer.Argument(help="Second model file.", show_default=False)],
    output: Output,
    json: Json = False,
) -> None:
    """Merge two models into one that has learned the rows of both."""
    require_output(output)
    learner, other = Learner.load(first), Learner.load(second)
    name_alike(learner.classifier, other.classifier)
    learner.merge(other)
    learner.solve_and_save(output)
    emit(
        {
            "model": str(output),
            "rows": learner.n_rows,
            "classes": len(learner.classifier.classes_),
        },
        json,
    )


def _forgotten(
    learner: Learner,
    source: RowSource,
    rows: Sequence[Any],
    labels: Sequence[Hashable],
    numbers: Sequence[int],
) -> int:
    """Forget rows, by halves where one was never learned; return how many were forgotten."""
    if not learner.n_rows:
        for number in numbers:
            source.report(number, "a row to forget was never learned: no row is left")
        return 0
    try:
        learner.forget(rows, labels_like(learner.classifier, labels))
    except ValueError as error:
        if len(rows) == 1:
            source.report(numbers[0], str(error))
            return 0
        half = len(rows) // 2
        return sum(
            _forgotten(learner, source, rows[part], labels[part], numbers[part])
            for part in (slice(half), slice(half, None))
        )
    return len(rows)


def _learn(learner: Learner, source: RowSource, output: Path, started: float) -> dict[str, Any]:
    """Learn all rows of a source, write the model, and say what was done."""
    fresh = not learner.is_fitted
    learning_seconds = 0.0
    with named(source):
        for features, labels in encode_batches(
            batches(source, "Learning"), learner.features_to_learn
        ):
            labels = labels if fresh else labels_like(learner.classifier, labels)
            names = learner.names_to_learn(labels)
            began = time.perf_counter()
            learner.learn(features, labels, names)
            learning_seconds += time.perf_counter() - began
    began = time.perf_counter()
    facts = _written(learner, source, output, fresh)
    ended = time.perf_counter()
    return facts | {
        "seconds": ended - started,
        "learning_seconds": learning_seconds + ended - began,
    }


def _written(learner: Learner, source: RowSource, output: Path, fresh: bool) -> dict[str, Any]:
    """Write the model of a source that was learned, and say what was done."""
    classifier = learner.classifier
    if fresh:
        name_integers(classifier, source)
    learner.solve_and_save(output)
    return {
        "model": str(output),
        "rows": learner.n_rows,
        "rows_skipped": source.skipped,
        "features": classifier.n_features_in_,
        "classes": len(classifier.classes_),
        "model_bytes": output.stat().st_size,
    }
