"""Convert parameters of classifiers to JSON and back; apply class weights to rows."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from numbers import Real
from types import MappingProxyType
from typing import Any

import numpy as np

from faast._utils.validation import as_weights
from faast.estimators.base import describe_scale
from faast.estimators.labels import as_labels, describe_labels, distinct_labels, labels_from
from faast.estimators.targets import TargetKind, Targets
from faast.solvers import describe_solver, solver_from

NAMED_CLASSES = 8
"""Classes that an error message names."""

PLAIN = ("novelty", "prior_count", "selection_rows", "class_names")
"""Parameters that JSON holds without conversion."""

KINDS: dict[str, tuple[type, ...]] = {
    "novelty": (bool,),
    "prior_count": (float, int, type(None)),
    "selection_rows": (int,),
    "class_names": (bool, type(None)),
    "labels": (list,),
}
"""What each parameter may be in JSON."""


def check_settings(estimator: Any) -> None:
    """Check parameters of a classifier that would otherwise be refused only by a saved file.

    Raises
    ------
    ValueError
        If a truth value or the prior's count is something else.
    """
    for name in ("novelty", "class_names", "prior_count"):
        given = getattr(estimator, name)
        if type(given.item() if isinstance(given, np.generic) else given) not in KINDS[name]:
            kinds = " or ".join(kind.__name__ for kind in KINDS[name])
            raise ValueError(f"{name} must be {kinds.replace('NoneType', 'None')}, got {given!r}")
    count = estimator.prior_count
    if count is not None and not 0 <= count < np.inf:
        raise ValueError(f"prior_count must be a finite number, not negative, got {count!r}")


def require_one_label(estimator: Any, kind: TargetKind) -> None:
    """Raise ValueError if a parameter is set that needs one label per row."""
    for name, is_set in (
        ("labels", len(estimator.labels) > 0),
        ("class_embeddings", estimator.class_embeddings is not None),
        ("class_names=True", estimator.class_names is True),
        ("novelty=True", estimator.novelty),
    ):
        if is_set:
            raise ValueError(
                f"{name} has no meaning for {kind.description}; it needs one label per row"
            )


def describe_settings(estimator: Any) -> dict[str, Any]:
    """Return the parameters of a classifier as JSON, without embeddings, encoder and cache.

    Raises
    ------
    ValueError
        If the solver is one that a file cannot hold.
    """
    return {
        "solver": describe_solver(estimator.solver),
        "class_weight": describe_weights(estimator.class_weight),
        "labels": as_labels(list(estimator.labels)).tolist(),
        "key_scale": describe_scale(estimator.key_scale),
        **{name: getattr(estimator, name) for name in PLAIN},
    }


def settings_from(described: dict[str, Any]) -> dict[str, Any]:
    """Rebuild the parameters of a classifier.

    Raises
    ------
    KeyError, TypeError, ValueError
        If `describe_settings` cannot have returned this.
    """
    for name, allowed in KINDS.items():
        if type(described[name]) not in allowed:
            raise ValueError(f"{name} cannot be {described[name]!r}")
    return {
        **{name: described[name] for name in (*PLAIN, "key_scale")},
        "labels": tuple(described["labels"]),
        "solver": solver_from(described["solver"]),
        "class_weight": weights_from(described["class_weight"]),
    }


def weigh_by_class(
    class_weight: Mapping[Hashable, float] | str | None,
    targets: Targets,
    sample_weight: Any,
    aliases: Mapping[Hashable, Hashable] = MappingProxyType({}),
) -> Any:
    """Multiply sample weights by the class weights of a mapping, whose keys may be aliases.

    Raises
    ------
    ValueError
        If `class_weight` is not None, "balanced" or a mapping, a weight is no finite number or
        negative, a class has two weights, or rows may have several labels.
    """
    if class_weight is None:
        return sample_weight
    if targets.kind.several:
        raise ValueError(
            "class_weight has no meaning where rows may have several labels; use sample_weight"
        )
    if class_weight == "balanced":
        return sample_weight
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            'class_weight must be None, "balanced" or a mapping of label to weight, got '
            f"{class_weight!r}"
        )
    factor: dict[Hashable, float] = {}
    labels = as_labels(list(class_weight)).tolist()
    for label, given in zip(labels, class_weight.values(), strict=True):
        if not isinstance(given, Real) or not 0.0 <= given < float("inf"):
            raise ValueError(
                f"class_weight of {label!r} must be a finite number, not negative, got {given!r}"
            )
        name = aliases.get(label, label)
        if factor.setdefault(name, float(given)) != given:
            raise ValueError(
                f"class_weight gives {name!r} the weights {factor[name]:g} and {given:g}, one by "
                "an alias of it; leave one of the two out"
            )
    factors = np.array([factor.get(label, 1.0) for label in targets.each().tolist()])
    weights = as_weights(sample_weight, len(targets))
    return factors if weights is None else weights * factors


def require_weighted_classes(
    class_weight: Mapping[Hashable, float] | str | None,
    targets: Targets,
    known: Iterable[Hashable],
) -> None:
    """Check that each key of class weights is a label of the rows or a class that is known.

    Raises
    ------
    ValueError
        One is neither.
    """
    if not isinstance(class_weight, Mapping):
        return
    labels = set(targets.labels.tolist())
    classes = labels | set(as_labels(list(known)).tolist())
    for key in as_labels(list(class_weight)).tolist():
        if key not in classes:
            some = ", ".join(sorted(map(repr, classes))[:NAMED_CLASSES])
            raise ValueError(
                f"class_weight names {key!r}, which is no class of the rows ({some}); correct the "
                "label, or learn with partial_fit where its rows come later"
            )


def describe_weights(class_weight: Mapping[Hashable, float] | str | None) -> Any:
    """Return class weights as JSON."""
    if not isinstance(class_weight, Mapping):
        return class_weight
    given = dict(zip(as_labels(list(class_weight)).tolist(), class_weight.values(), strict=True))
    labels = distinct_labels(as_labels(list(given)))
    return [describe_labels(labels), [float(given[label]) for label in labels.tolist()]]


def weights_from(described: Any) -> Any:
    """Rebuild class weights from what `describe_weights` returned."""
    if described is None or described == "balanced":
        return described
    labels, factors = described
    return dict(zip(labels_from(labels).tolist(), factors, strict=True))
