"""Class labels: any hashable kind, kept sorted, growing and shrinking.

What a classifier is to learn: labels or indicators, and embeddings that name classes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import column_or_1d

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast._utils.validation import as_rows, to_numpy


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


def as_targets(y: Any) -> AnyArray:
    """Check the targets of a classifier.

    Parameters
    ----------
    y : array-like of shape (n,), or indicator matrix of shape (n, C) with C > 1

    Returns
    -------
    ndarray of shape (n,), labels of their own dtype; or of shape (n, C), uint8

    Raises
    ------
    ValueError
        See `as_labels`; or an entry of a matrix is neither 0 nor 1 (named by its row).
    """
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    if not isinstance(y, list | tuple):
        y = to_numpy(y)
    elif any(isinstance(label, tuple) for label in y):  # tuples are labels, not rows
        return as_labels(y)
    if np.ndim(y) != 2 or np.shape(y)[1] == 1:
        return as_labels(y)
    indicator = np.asarray(y)
    wrong = np.flatnonzero(~np.isin(indicator, (0, 1)).all(axis=1))
    if wrong.size:
        raise ValueError(
            f"row {wrong[0]} of y holds something other than 0 and 1; a matrix y must be a "
            "multi-label indicator"
        )
    return indicator.astype(np.uint8)


def named_embeddings(
    given: Mapping[Hashable, Any] | Any, y: AnyArray, n_features: int
) -> dict[Hashable, FloatArray] | None:
    """Check class embeddings and name them by label.

    Parameters
    ----------
    given : None, mapping of label to vector, or array-like of shape (C, d)
        An array belongs to the sorted labels of `y`.
    y : ndarray
        Targets of the first rows.
    n_features : int
        d.

    Raises
    ------
    ValueError
        For an indicator matrix, of another width or number, or not finite.
    """
    if given is None:
        return None
    if y.ndim == 2:
        raise ValueError("class_embeddings have no meaning for an indicator matrix")
    if not isinstance(given, Mapping):
        labels = distinct(y).tolist()
        vectors = to_numpy(as_rows(given, "class_embeddings", n_features))
        if len(vectors) != len(labels):
            raise ValueError(
                f"class_embeddings has {len(vectors)} rows, the first rows have {len(labels)} "
                "classes; pass a mapping of label to vector to name them"
            )
        given = dict(zip(labels, vectors, strict=True))
    named = {label: np.asarray(to_numpy(v), dtype=np.float64) for label, v in given.items()}
    for label, vector in named.items():
        if vector.shape != (n_features,) or not np.all(np.isfinite(vector)):
            raise ValueError(
                f"the class embedding of {label!r} must be {n_features} finite numbers, like a "
                f"row of X; got shape {vector.shape}"
            )
    return named
