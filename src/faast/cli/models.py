"""Commands that make, use and change model files."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from faast import FaastClassifier, load
from faast.cli.output import JSON, OUTPUT, describe_weights, emit, one_line_errors, progress_over
from faast.cli.tables import read_labelled, read_table

Table = Annotated[Path, typer.Argument(help="Table of numbers, .csv or .npz.")]
Model = Annotated[Path, typer.Argument(help="Model file.")]
Label = Annotated[str, typer.Option(help="Column (or array) that holds the labels.")]
Output = Annotated[Path, OUTPUT]
Json = Annotated[bool, JSON]

BATCH_ROWS = 10_000


@one_line_errors
def learn(train: Table, output: Output, label_column: Label = "label", json: Json = False) -> None:
    """Learn a table of labelled rows and write a model file."""
    features, labels = read_labelled(train, label_column)
    started = time.perf_counter()
    model = FaastClassifier()
    starts = range(0, max(len(features), 1), BATCH_ROWS)
    with progress_over(starts, "learning") as batches:
        for start in batches:
            rows = slice(start, start + BATCH_ROWS)
            model.partial_fit(features[rows], labels[rows])
    model.save(output)
    emit(
        {
            "model": str(output),
            "rows": len(features),
            "features": model.n_features_in_,
            "classes": len(model.classes_),
            "seconds": time.perf_counter() - started,
            "model_bytes": output.stat().st_size,
        },
        json,
    )


@one_line_errors
def predict(
    model: Model,
    data: Table,
    label_column: Label = "label",
    json: Json = False,
) -> None:
    """Predict a label and its probability for every row; csv on stdout."""
    classifier = _load_classifier(model)
    features, _ = read_table(data, label_column)
    probabilities = classifier.predict_proba(features)
    labels = classifier.predict(features).tolist()
    best = probabilities.max(axis=1).tolist() if len(features) else []
    if json:
        emit({"rows": len(features), "labels": labels, "probabilities": best}, json)
        return
    typer.echo("label,probability")
    for label, probability in zip(labels, best, strict=True):
        typer.echo(f"{label},{probability:.6f}")


@one_line_errors
def evaluate(model: Model, data: Table, label_column: Label = "label", json: Json = False) -> None:
    """Measure accuracy on a labelled table."""
    classifier = _load_classifier(model)
    features, labels = read_labelled(data, label_column)
    if not len(features):
        raise ValueError(f"{data} has no rows to evaluate on")
    started = time.perf_counter()
    correct = classifier.predict(features) == labels
    emit(
        {
            "rows": len(features),
            "accuracy": float(np.mean(correct)),
            "seconds": time.perf_counter() - started,
        },
        json,
    )


@one_line_errors
def forget(
    model: Model,
    data: Table,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write here instead of over MODEL.")
    ] = None,
    label_column: Label = "label",
    json: Json = False,
) -> None:
    """Take learned rows back, as if they had never been seen."""
    classifier = _load_classifier(model)
    features, labels = read_labelled(data, label_column)
    classifier.forget(features, labels)
    if not len(classifier.classes_):
        raise ValueError("nothing would be left of the model; delete its file instead")
    classifier.save(output or model)
    emit(
        {
            "model": str(output or model),
            "rows_forgotten": len(features),
            "rows_left": classifier.n_rows_,
            "classes": len(classifier.classes_),
        },
        json,
    )


@one_line_errors
def merge(
    first: Model,
    second: Annotated[Path, typer.Argument(help="Second model file.")],
    output: Output,
    json: Json = False,
) -> None:
    """Merge two models into one that has learned the rows of both."""
    merged = _load_classifier(first).merge(_load_classifier(second))
    merged.save(output)
    emit(
        {"model": str(output), "rows": merged.n_rows_, "classes": len(merged.classes_)},
        json,
    )


@one_line_errors
def inspect(model: Model, json: Json = False) -> None:
    """Show what a model file holds."""
    classifier = _load_classifier(model)
    facts: dict[str, Any] = {
        "model": str(model),
        "model_bytes": model.stat().st_size,
        "rows": classifier.n_rows_,
        "features": classifier.n_features_in_,
        "classes": len(classifier.classes_),
        "labels": classifier.classes_.tolist(),
        "temperature": classifier.temperature_,
        **describe_weights(classifier.weights_),
    }
    emit(facts, json)


def _load_classifier(path: Path) -> FaastClassifier:
    loaded = load(path)
    if not isinstance(loaded, FaastClassifier):
        raise ValueError(f"{path} holds a {type(loaded).__name__}, not a classifier")
    return loaded
