"""`faast inspect`: show what a model file holds."""

from __future__ import annotations

from typing import Any

from faast import FaastClassifier, FaastRegressor
from faast.cli._columns import feature_names
from faast.cli._label_sets import label_thresholds
from faast.cli._labels import warn_of_look_alikes
from faast.cli._model import count_answers, count_rows, load_model
from faast.cli._numbers import describe_errors, target_labels
from faast.cli._options import Json, Model
from faast.cli._output import emit
from faast.estimators.targets import TargetKind


def inspect(model: Model, json: Json = False) -> None:
    """Show what a model file holds."""
    learner = load_model(model)
    facts: dict[str, Any] = {"model": str(model), "model_bytes": model.stat().st_size}
    if learner.encoder_name is not None:
        facts |= {
            "encoder": learner.encoder_name,
            "encoder_fingerprint": learner.fingerprint,
        }
    if learner.learned_ is not None:
        facts["rows"] = count_rows(learner)
    columns = feature_names(learner)
    if columns is not None:
        facts["columns"] = columns
    facts |= {"features": learner.n_features_in_, **count_answers(learner)}
    if isinstance(learner, FaastRegressor):
        facts |= {"numbers": target_labels(learner), **describe_errors(learner)}
    else:
        facts |= _describe_classes(learner, json)
    weights = learner.weights_
    facts |= {
        "rank": weights.rank,
        "condition": weights.condition,
        "explained": weights.explained,
        "strength": weights.strength,
    }
    emit(facts, json)
    warn_of_look_alikes(learner, model)


def _describe_classes(classifier: FaastClassifier, json: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "class_names": classifier.uses_class_names,
        "labels": classifier.report_order(),
        "temperature": classifier.temperature_,
    }
    if classifier.target_kind_ is not TargetKind.LABEL:
        del facts["temperature"]
        facts |= {"several_labels": True, "thresholds": label_thresholds(classifier)}
    if classifier.class_aliases_:
        facts["aliases"] = [
            {"alias": alias, "class": label} if json else f"{alias} is {label}"
            for alias, label in classifier.class_aliases_.items()
        ]
    if classifier.class_history_:
        facts["class_history"] = [
            change._asdict() if json else str(change) for change in classifier.class_history_
        ]
    return facts
