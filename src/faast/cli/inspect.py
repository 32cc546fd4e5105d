"""`faast inspect`: show what a model file holds."""

from __future__ import annotations

from typing import Any

from faast.cli._columns import feature_names
from faast.cli._labels import warn_of_look_alikes
from faast.cli._model import count_rows, load_classifier
from faast.cli._options import Json, Model
from faast.cli._output import emit


def inspect(model: Model, json: Json = False) -> None:
    """Show what a model file holds."""
    classifier = load_classifier(model)
    facts: dict[str, Any] = {"model": str(model), "model_bytes": model.stat().st_size}
    if classifier.encoder_name is not None:
        facts |= {
            "encoder": classifier.encoder_name,
            "encoder_fingerprint": classifier.fingerprint,
            "class_names": classifier.uses_class_names,
        }
    if classifier.learned_ is not None:
        facts["rows"] = count_rows(classifier)
    columns = feature_names(classifier)
    if columns is not None:
        facts["columns"] = columns
    weights = classifier.weights_
    facts |= {
        "features": classifier.n_features_in_,
        "classes": len(classifier.classes_),
        "labels": classifier.report_order(),
        "temperature": classifier.temperature_,
        "rank": weights.rank,
        "condition": weights.condition,
        "explained": weights.explained,
        "strength": weights.strength,
    }
    if classifier.class_aliases_:
        facts["aliases"] = [
            {"alias": alias, "class": label} if json else f"{alias} is {label}"
            for alias, label in classifier.class_aliases_.items()
        ]
    if classifier.class_history_:
        facts["class_history"] = [
            change._asdict() if json else str(change) for change in classifier.class_history_
        ]
    emit(facts, json)
    warn_of_look_alikes(classifier, model)
