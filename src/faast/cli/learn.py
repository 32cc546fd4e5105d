"""`faast learn`: learn labelled rows, in this process or on Ray, and write a model file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from faast import FaastClassifier, FaastRegressor
from faast.cli._columns import ColumnOrder
from faast.cli._labels import answers_of, labels_of_classes, warn_of_look_alikes
from faast.cli._model import (
    FaastModel,
    cache_folder,
    count_answers,
    count_rows,
    hold_model,
    new_classifier,
    new_regressor,
    solve_and_save,
)
from faast.cli._numbers import describe_errors, split_names
from faast.cli._options import ENCODING, READING, Encoding, Json, Output, Reading, Targets, Train
from faast.cli._output import check_model_output, emit_saved
from faast.cli._rows import name_source, open_source, read_batches, report_skipped
from faast.data import RowSource
from faast.distributed import FileRows, learn_rows
from faast.estimators.batches import encode_batches


def learn(
    train: Train,
    output: Output,
    encoding: Encoding = ENCODING,
    reading: Reading = READING,
    target: Targets = None,
    class_names: Annotated[
        bool | None,
        typer.Option(
            "--class-names/--no-class-names",
            help="Whether the names of the classes are evidence beside the rows. By default yes "
            "for encoders that understand words, such as minilm and clip:NAME.",
            show_default=False,
        ),
    ] = None,
    novelty: Annotated[
        bool,
        typer.Option(
            "--novelty",
            help="Let faast predict also score how unlike all learned rows each new row is.",
        ),
    ] = False,
    keep_features: Annotated[
        bool,
        typer.Option(
            "--keep-features",
            help="Keep the features of all learned rows in the folder OUTPUT.features. faast "
            "forget needs them for the encoders minilm, st:NAME, clip:NAME and hf:NAME.",
        ),
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Learn on Ray workers: local starts Ray on this machine; auto, HOST:PORT or "
            "ray://HOST:PORT connect to a running cluster.",
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="With --ray: folder for intermediate results. If the run is interrupted, the "
            "same command continues from them."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Learn rows with labels or numbers and write a model file."""
    started = time.perf_counter()
    check_model_output(output, train)
    model: FaastModel
    targets = split_names(target)
    if targets:
        if class_names is not None or novelty or ray is not None:
            raise ValueError(
                "--class-names, --novelty and --ray are for labels; leave them out with --target"
            )
        model = new_regressor(train, encoding, reading, targets)
    else:
        model = new_classifier(train, encoding, reading, class_names, novelty)
    if keep_features and ray is not None:
        raise ValueError("Ray workers keep no features; leave out --keep-features or --ray")
    if keep_features and model.modality == "features":
        raise ValueError(
            "rows of numbers can be forgotten without kept features; leave --keep-features out"
        )
    if keep_features:
        model.cache = cache_folder(output)
    if resume is not None and ray is None:
        raise ValueError("--resume continues a run on Ray; name the cluster with --ray")
    source = open_source(model, train, reading, targets=targets)
    if ray is None:
        seconds = learn_source(model, source)
    else:
        assert isinstance(model, FaastClassifier)
        seconds = None
        rows = FileRows([source])
        learn_rows(model, rows, address=ray, resume=resume, progress=True)
        report_skipped(source)
        if source.feature_names is not None:
            model.feature_names_in_ = np.asarray(source.feature_names, dtype=object)
    with hold_model(output):
        facts = save_and_describe(model, source, output, started, seconds)
    emit_saved(facts, json, output)


def learn_source(model: FaastModel, source: RowSource) -> float:
    """Learn all rows of a source and return the seconds that it took, without the encoding."""
    is_new, seconds = not model.is_fitted, 0.0
    columns = ColumnOrder(model)
    with name_source(source):
        batches = read_batches(source, "Learning", columns)
        for features, answers in encode_batches(batches, model.encode_to_learn):
            if isinstance(model, FaastRegressor):
                numbers = answers_of(model, answers)
                started = time.perf_counter()
                model.partial_fit_encoded(features, numbers)
            else:
                labels = answers if is_new else labels_of_classes(model, answers)
                names = model.embed_names(labels)
                started = time.perf_counter()
                model.partial_fit_encoded(features, labels, names)
            seconds += time.perf_counter() - started
    columns.name_features(model)
    if isinstance(model, FaastRegressor) and is_new:
        model.target_names_ = source.target_columns
    return seconds


def save_and_describe(
    model: FaastModel,
    source: RowSource,
    output: Path,
    started: float,
    learning_seconds: float | None,
) -> dict[str, Any]:
    """Solve and save a model that has learned a source, and return what the command reports.

    Parameters
    ----------
    model : FaastClassifier or FaastRegressor
    source : RowSource
    output : Path
    started : float
        When the command began, by `time.perf_counter`.
    learning_seconds : float, optional
        Seconds of `learn_source`; solving and saving are added to them.
    """
    began = time.perf_counter()
    solve_and_save(model, output)
    warn_of_look_alikes(model, output)
    ended = time.perf_counter()
    facts = {
        "model": str(output),
        "rows": count_rows(model),
        "rows_skipped": source.skipped,
        "features": model.n_features_in_,
        **count_answers(model),
        "model_bytes": output.stat().st_size,
        "seconds": ended - started,
    }
    if isinstance(model, FaastRegressor):
        facts |= describe_errors(model)
    if learning_seconds is not None:
        facts["learning_seconds"] = learning_seconds + ended - began
    return facts
