"""`faast export`: write a model's prediction as an ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faast.cli._model import load_classifier
from faast.cli._options import Json, Model
from faast.cli._output import check_output, emit_saved


def export(
    model: Model,
    onnx: Annotated[Path, typer.Option(help="ONNX file to write.", show_default=False)],
    json: Json = False,
) -> None:
    """Write an ONNX graph that predicts from features.

    The graph takes features and gives labels and probabilities. It does not hold the encoder:
    encode texts and images with the model's encoder first.
    """
    check_output(onnx, model)
    classifier = load_classifier(model)
    classifier.to_onnx(onnx)
    emit_saved(
        {
            "onnx": str(onnx),
            "features": classifier.n_features_in_,
            "classes": len(classifier.classes_),
            "onnx_bytes": onnx.stat().st_size,
        },
        json,
        onnx,
    )
