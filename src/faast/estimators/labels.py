"""Class labels: any hashable kind, kept sorted, growing and shrinking."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
from sklearn.utils.validation import column_or_1d

from faast._typing import AnyArray, IntArray


def as_labels(y: Any) -> AnyArray:
    """Return labels as an array of their own dtype, object only for mixed kinds.

    Raises
    ------
    ValueError
        Not one label a row, a missing label (named by its row), or continuous targets.
    """
    if isinstance(y, list | tuple) and any(isinstance(label, tuple) for label in y):
        return _object_array(y)
    labels = column_or_1d(np.asarray(y, dtype=None if hasattr(y, "dtype") else _kind(y)), warn=True)
    if labels.dtype == object:
        missing = [i for i, label in enumerate(labels) if label is None or label != label]
        if missing:
            raise ValueError(f"label of row {missing[0]} is missing ({labels[missing[0]]!r})")
        kind = _kind(labels)
        return labels if kind is object else np.asarray(labels.tolist())
    if labels.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(labels))
        if wrong.size:
            kind_name = "NaN" if np.isnan(labels[wrong[0]]) else "inf"
            raise ValueError(f"label of row {wrong[0]} is missing (y contains {kind_name})")
        wrong = np.flatnonzero(labels != np.rint(labels))
        if wrong.size:
            raise ValueError(
                f"Unknown label type: continuous (label of row {wrong[0]} is {labels[wrong[0]]}); "
                "a classifier takes classes, FaastRegressor takes numbers"
            )
    return labels


def union(left: AnyArray, right: AnyArray) -> AnyArray:
    """Return the sorted distinct labels of both."""
    if not len(left) or not len(right):
        return distinct(left if len(left) else right)
    if _family(left) == _family(right) and object not in (left.dtype, right.dtype):
        return distinct(np.concatenate([left, right]))
    return distinct(_object_array([*left.tolist(), *right.tolist()]))


def distinct(labels: AnyArray) -> AnyArray:
    """Return the sorted distinct labels; labels of mixed kinds sort by kind, then value."""
    if labels.dtype != object:
        found = np.unique(labels)
        # The width of the longest label that there is, not of one that there was.
        return np.asarray(found.tolist()) if found.dtype.kind == "U" and len(found) else found
    return _object_array(sorted(set(labels.tolist()), key=_mixed_key))


def positions(labels: AnyArray, classes: AnyArray) -> IntArray:
    """Return where each label stands in the classes, -1 where it does not."""
    place = {label: index for index, label in enumerate(classes.tolist())}
    if labels.dtype != object and len(labels):
        kinds, inverse = np.unique(labels, return_inverse=True)
        return np.array([place.get(kind, -1) for kind in kinds.tolist()], dtype=np.int64)[inverse]
    return np.array([place.get(label, -1) for label in labels.tolist()], dtype=np.int64)


def describe_labels(labels: AnyArray) -> list[list[Any]]:
    """Return labels as JSON: [kind, value] pairs.

    Raises
    ------
    ValueError
        A label that JSON cannot keep.
    """
    described = []
    for label in labels.tolist():
        if not isinstance(label, str | int | float | bool):
            raise ValueError(
                f"a file can keep labels that are strings or numbers, got {label!r} of type "
                f"{type(label).__name__}"
            )
        described.append([type(label).__name__, label])
    return [[labels.dtype.str], *described]


def labels_from(description: list[list[Any]]) -> AnyArray:
    """Rebuild labels from their description."""
    kinds = {"str": str, "int": int, "float": float, "bool": bool}
    (dtype,), *described = description
    values = [kinds[kind](value) for kind, value in described]
    return _object_array(values) if dtype == "|O" else np.array(values, dtype=dtype)


def _kind(labels: Iterable[Hashable]) -> type | None:
    families = {str if isinstance(label, str) else type(label) for label in labels}
    numbers = {int, float, bool} | {t for t in families if issubclass(t, np.number | np.bool_)}
    return None if len(families) <= 1 or families <= numbers else object


def _family(labels: AnyArray) -> str:
    kind = labels.dtype.kind
    return {"U": "text", "S": "bytes", "O": "object"}.get(
        kind, "number" if kind in "iufb" else kind
    )


def _mixed_key(label: Hashable) -> tuple[str, Any]:
    return ("", label) if isinstance(label, int | float) else (type(label).__name__, label)


def _object_array(labels: Iterable[Any]) -> AnyArray:
    labels = list(labels)
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array
