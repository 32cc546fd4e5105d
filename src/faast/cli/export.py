"""`faast export`: write a model's prediction as an ONNX graph."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from faast.cli._model import count_answers, load_model
from faast.cli._options import Json, Model
from faast.cli._output import check_output, emit_saved


def export(
    model: Model,
    onnx: Annotated[Path, typer.Option(help="ONNX file to write.", show_default=False)],
    json: Json = False,
) -> None:
    """Write an ONNX graph that predicts from features.

    The graph takes features and gives labels and probabilities, or numbers. It does not hold the
    encoder: encode texts and images with the model's encoder first.
    """
    check_output(onnx, model)
    learner = load_model(model)
    learner.to_onnx(onnx)
    emit_saved(
        {
            "onnx": str(onnx),
            "features": learner.n_features_in_,
            **count_answers(learner),
            "onnx_bytes": onnx.stat().st_size,
        },
        json,
        onnx,
    )
