"""Kinds of tasks: what their rows are, and which classifier and encoder they start with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

import numpy as np

from faast._utils.arrays import FloatArray
from faast.core.grid import EXACT_LIMIT, Grid, grid_for
from faast.data.reader import Modality
from faast.encoders.base import Features
from faast.estimators import FaastClassifier
from faast.estimators.base import describe_scale
from faast.estimators.encoded import CLASSIFIERS
from faast.estimators.targets import TargetKind

Kind = Literal["texts", "pictures", "numbers"]
"""Kind of the rows of a task."""

GRID_BITS = 20
"""Bits after the binary point to which features are rounded, see `Moments`."""

MODALITIES: dict[Kind, Modality] = {"texts": "text", "pictures": "image", "numbers": "features"}
"""What the library calls each kind."""


def kind_of(model: FaastClassifier) -> Kind:
    """Return the kind of task that a model makes."""
    return next(kind for kind, modality in MODALITIES.items() if modality == model.modality)


def new_model(kind: Kind, encoder: str | None) -> FaastClassifier:
    """Return a model without rows.

    Parameters
    ----------
    kind : Kind
    encoder : str or None
        A name for `load_encoder`; None for the default of the kind.

    Raises
    ------
    ImportError, OSError, ValueError
        If there is no such encoder, or it cannot be loaded, or takes rows of another kind.
    """
    if kind == "numbers":
        if encoder is not None:
            raise ValueError(f"numbers need no encoder; leave out {encoder!r}")
        return FaastClassifier()
    model = CLASSIFIERS[MODALITIES[kind]](encoder=encoder)
    model.set_params(class_names=model.uses_class_names)  # so that it is known without the encoder
    return model


def scale_for(features: Features) -> float | FloatArray:
    """Return the scale, one for all columns or one per column, that suits rows (n, d)."""
    return grid_for(features, GRID_BITS).scale


def require_scale(features: Features, scale: float | FloatArray, numbers: Sequence[int]) -> None:
    """Raise a ValueError if a row (n, d) is too large for a scale, or so small that it is lost.

    The error names the row by its number among `numbers`.
    """
    units = np.rint(np.abs(features) * Grid(GRID_BITS, scale).per_unit).max(axis=1)
    lost = (units == 0) & features.any(axis=1)
    wrong = lost | (units > np.sqrt(EXACT_LIMIT))
    if not wrong.any():
        return
    row = int(np.argmax(wrong))
    size = "small" if lost[row] else "large"
    raise ValueError(
        f"row {numbers[row]} holds {np.abs(features[row]).max():.4g}, too {size} beside the rows "
        "that were learned first: they fixed how numbers are rounded, by a scale of "
        f"{np.max(scale):.4g}. Bring all numbers to a similar size, or forget all learned rows: "
        "the next ones fix it anew"
    )


def describe_model(model: FaastClassifier) -> str:
    """Return as JSON what `model_from` needs."""
    return json.dumps(
        {
            "kind": kind_of(model),
            "encoder": model.describe_encoder(),
            "names": model.uses_class_names,
            "scale": describe_scale(model.key_scale),
        }
    )


def model_from(described: str) -> FaastClassifier:
    """Return the model without rows that `describe_model` was given; the encoder is not opened."""
    found = json.loads(described)
    kind: Kind = found["kind"]
    scale = found["scale"]
    model = CLASSIFIERS[MODALITIES[kind]](
        key_scale=np.array(scale) if isinstance(scale, list) else scale
    )
    if found["encoder"] is not None:
        model.set_params(class_names=found["names"])
        model.restore_encoder(found["encoder"])
    return model


def require_served(model: object, what: str) -> FaastClassifier:
    """Return a model that can be taught; raise a ValueError that says why it cannot be."""
    if not isinstance(model, FaastClassifier):
        raise ValueError(
            f"{what} holds a {type(model).__name__}; faast serve takes classifiers, as faast learn "
            "makes from rows with labels"
        )
    if not model.is_fitted:
        return model
    if model.learned_ is None:
        raise ValueError(f"{what} was compacted and cannot learn; use the model it was made of")
    if model.learned_.kind is not TargetKind.LABEL or model.classes_.dtype.kind not in "UO":
        raise ValueError(f"{what} must have one label per row, and labels that are texts")
    if model.learned_.embeddings is not None and model.describe_encoder() is None:
        raise ValueError(f"{what} has embeddings of classes, but no encoder that embeds new ones")
    return model
