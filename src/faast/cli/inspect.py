"""Commands that look at model files and write them out in other forms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from faast.cli._model import Learner
from faast.cli._options import Json, Model
from faast.cli._output import describe_weights, emit, one_line_errors, require_output
from faast.estimators import EncodedClassifier


@one_line_errors
def inspect(model: Model, json: Json = False) -> None:
    """Show what a model file holds."""
    learner = Learner.load(model)
    classifier = learner.classifier
    facts: dict[str, Any] = {"model": str(model), "model_bytes": model.stat().st_size}
    if isinstance(learner.model, EncodedClassifier):
        facts |= {
            "encoder": learner.model.encoder_name,
            "encoder_fingerprint": learner.model.fingerprint,
            "class_names": learner.model.class_names,
        }
    if classifier.learned_ is not None:
        facts["rows"] = learner.n_rows
    facts |= {
        "features": classifier.n_features_in_,
        "classes": len(classifier.classes_),
        "labels": classifier.classes_.tolist(),
        "temperature": classifier.temperature_,
        **describe_weights(classifier.weights_),
    }
    emit(facts, json)


@one_line_errors
def export(
    model: Model,
    onnx: Annotated[Path, typer.Option(help="ONNX file to write.", show_default=False)],
    json: Json = False,
) -> None:
    """Write what predicts, from features to probabilities, as an ONNX graph."""
    require_output(onnx, model)
    learner = Learner.load(model)
    learner.model.to_onnx(onnx)
    emit(
        {
            "onnx": str(onnx),
            "features": learner.classifier.n_features_in_,
            "classes": len(learner.classifier.classes_),
            "onnx_bytes": onnx.stat().st_size,
        },
        json,
    )
