"""Class labels: what counts as a label, when two are equal, and how labels are sorted.

A label is a text, an integer, a truth value, or a tuple of these. Numpy scalars, whole floats (1.0
is the integer 1), subclasses of `str` and members of an `Enum` (their value) are converted.
Two labels are the same if Python compares them equal: 1 and 1.0 are, 1 and "1" are not.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from enum import Enum
from typing import Any

import numpy as np
from sklearn.utils.validation import column_or_1d

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast._utils.validation import as_rows, to_numpy
from faast.core.state import Json
from faast.data.labels import MAX_LABEL_CHARACTERS

_PLAIN = (str, bool, int)
_INT64 = range(-(2**63), 2**63)


def as_labels(y: Any, rows: IntArray | None = None) -> AnyArray:
    """Convert labels to an array of text, int64 or bool, or of objects if kinds are mixed.

    Parameters
    ----------
    y : array-like of shape (n,)
    rows : ndarray of shape (n,), int, optional
        The row of each label of a list, for error messages; 0 to n - 1 by default.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        If a row has several labels, or a label is missing, masked, a fraction, or of another kind
        (the message names its row).
    """
    if isinstance(y, np.ma.MaskedArray) and np.ma.getmaskarray(y).any():
        row = int(np.argwhere(np.ma.getmaskarray(y))[0][0])
        raise ValueError(
            f"label of row {row} is masked, as predictions are where a model abstains; "
            "leave masked rows out"
        )
    if isinstance(y, list | tuple):
        return _from_objects(y, rows)
    labels = column_or_1d(np.asarray(y), warn=True)
    if not len(labels):
        return _no_labels()
    if labels.dtype.kind == "b" or (labels.dtype.kind == "U" and _are_texts(labels)):
        return labels
    if labels.dtype.kind in "iu" and int(labels.max()) in _INT64:
        return labels.astype(np.int64, copy=False)
    if labels.dtype.kind == "f":
        return _whole_numbers(labels)
    # as Python objects, some dates and durations are integers
    return _from_objects(labels if labels.dtype.kind in "mM" else labels.tolist())


def unite_labels(left: AnyArray, right: AnyArray) -> AnyArray:
    """Return the sorted distinct labels of both."""
    if not len(left) or not len(right):
        return distinct_labels(left if len(left) else right)
    kinds = {left.dtype.kind, right.dtype.kind}
    if kinds == {"U"} or kinds <= set("bi"):
        return distinct_labels(np.concatenate([left, right]))
    return distinct_labels(_object_array([*left.tolist(), *right.tolist()]))


def distinct_labels(labels: AnyArray) -> AnyArray:
    """Return the sorted distinct labels; labels of mixed kinds sort by kind, then value."""
    if not len(labels):
        return _no_labels()
    if labels.dtype != object:
        found = np.unique(labels)
        # shorten the text dtype to the longest label that is left
        return np.asarray(found.tolist()) if found.dtype.kind == "U" else found
    return _from_objects(sorted(set(labels.tolist()), key=_sort_key))


def label_indices(labels: AnyArray, classes: AnyArray) -> IntArray:
    """Return the index of each label among the classes, -1 for a label that is no class."""
    index = {label: i for i, label in enumerate(classes.tolist())}
    if labels.dtype != object and len(labels):
        found, inverse = np.unique(labels, return_inverse=True)
        return np.array([index.get(label, -1) for label in found.tolist()], dtype=np.int64)[inverse]
    return np.array([index.get(label, -1) for label in labels.tolist()], dtype=np.int64)


def check_embeddings(
    given: Mapping[Hashable, Any] | Any, found: AnyArray, n_features: int
) -> dict[Hashable, FloatArray] | None:
    """Validate class embeddings and return them by label.

    Parameters
    ----------
    given : None, mapping of label to vector, or array-like of shape (C, d)
        The rows of an array belong to the labels that were found.
    found : ndarray
        Sorted labels of the first rows.
    n_features : int
        d.

    Returns
    -------
    dict of label to ndarray of shape (d,), float64; or None

    Raises
    ------
    ValueError
        If vectors have a wrong width or number or are not finite.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping):
        labels = found.tolist()
        vectors = to_numpy(as_rows(given, "class_embeddings", n_features))
        if len(vectors) != len(labels):
            raise ValueError(
                f"class_embeddings has {len(vectors)} rows, the first rows have {len(labels)} "
                "classes; pass a mapping of label to vector to say which is which"
            )
        given = dict(zip(labels, vectors, strict=True))
    labels = as_labels(list(given)).tolist()
    named = [np.asarray(to_numpy(vector), dtype=np.float64) for vector in given.values()]
    for label, vector in zip(labels, named, strict=True):
        if vector.shape != (n_features,) or not np.all(np.isfinite(vector)):
            raise ValueError(
                f"the class embedding of {label!r} must be {n_features} finite numbers, like a "
                f"row of X; got shape {vector.shape}"
            )
    return dict(zip(labels, named, strict=True))


def describe_labels(labels: AnyArray) -> list[Any]:
    """Return labels as a JSON list: their kind, then values, or [type, value] for mixed kinds."""
    if labels.dtype != object:
        return [labels.dtype.kind, *labels.tolist()]
    return ["O", *(describe_label(label) for label in labels.tolist())]


def labels_from(description: Any) -> AnyArray:
    """Rebuild sorted distinct labels from their description.

    Raises
    ------
    ValueError
        If `describe_labels` cannot have returned this for sorted distinct labels.
    """
    labels = distinct_labels_from(description)
    if not np.array_equal(labels, distinct_labels(labels)):
        raise ValueError("labels must be sorted")
    return labels


def distinct_labels_from(description: Any) -> AnyArray:
    """Rebuild distinct labels, in any order, from their description; errors as there."""
    if not isinstance(description, list) or not description:
        raise ValueError(f"labels must be a list that begins with their kind, got {description!r}")
    kind, *values = description
    expected = {"U": str, "b": bool, "i": int}.get(kind)
    if kind == "O":
        values = [label_from(value) for value in values]
    elif expected is None or any(type(value) is not expected for value in values):
        raise ValueError(f"labels of kind {kind!r} must all be of that kind")
    labels = as_labels(values)
    if len(distinct_labels(labels)) != len(labels):
        raise ValueError("labels must be distinct")
    return labels


LABELS = Json(describe_labels, labels_from)
"""Rule that writes sorted class labels to a file."""


def _from_objects(labels: Iterable[Any], rows: IntArray | None = None) -> AnyArray:
    """Convert Python objects to labels, one by one."""
    labels = list(labels)
    numbers = range(len(labels)) if rows is None else rows.tolist()
    plain = [_plain(label, row) for label, row in zip(labels, numbers, strict=True)]
    if not plain:
        return _no_labels()
    kinds = {type(label) for label in plain}
    if kinds <= {int, bool} and len(kinds) == 2:
        plain, kinds = [int(label) for label in plain], {int}
    if kinds == {str} or kinds == {bool}:
        return np.asarray(plain)
    if kinds == {int} and all(label in _INT64 for label in plain):
        return np.asarray(plain, dtype=np.int64)
    return _object_array(plain)


def _are_texts(labels: AnyArray) -> bool:
    """Tell whether an array of text holds labels only: no long texts and no NUL characters."""
    is_short = labels.dtype.itemsize <= 4 * MAX_LABEL_CHARACTERS  # of numpy's UTF-32
    return is_short and "\0" not in "".join(labels.tolist())


def _no_labels() -> AnyArray:
    """Return no labels; one dtype keeps a model's bits the same whatever it has forgotten."""
    return np.zeros(0, dtype=np.int64)


def _plain(label: Any, row: int) -> Any:
    """Return one label as a plain Python object."""
    if type(label) in _PLAIN:
        pass
    elif isinstance(label, Enum):
        return _plain(label.value, row)
    elif isinstance(label, tuple):
        return tuple(_plain(part, row) for part in label)
    elif isinstance(label, str):
        label = str.__str__(label)
    else:
        label = _number(label, row)
    if isinstance(label, str) and "\0" in label:
        raise ValueError(f"label of row {row} holds a NUL character: {label!r}")
    if isinstance(label, str) and len(label) > MAX_LABEL_CHARACTERS:
        raise ValueError(
            f"label of row {row} has {len(label):,} characters, more than "
            f"{MAX_LABEL_CHARACTERS:,}; it is probably a text"
        )
    return label


def _number(label: Any, row: int) -> int | bool:
    """Return a label that is a number or a truth value as a Python object."""
    if isinstance(label, bool | np.bool_):
        return bool(label)
    if isinstance(label, int | np.integer) and not isinstance(label, np.timedelta64):
        return int(label)
    if _is_missing(label):
        found = "y contains NaN" if isinstance(label, float) else repr(label)
        raise ValueError(f"label of row {row} is missing ({found})")
    if not isinstance(label, float | np.floating):
        raise ValueError(
            f"label of row {row} is {label!r} of type {type(label).__name__}; a label must be a "
            "text, an integer, a truth value or a tuple of these"
        )
    if label != np.rint(label):
        raise ValueError(_continuous(row, float(label)))
    return int(label)


def _is_missing(label: Any) -> bool:
    if label is None or label is np.ma.masked or type(label).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(label, float | np.floating) and not np.isfinite(label)


def _whole_numbers(labels: AnyArray) -> AnyArray:
    """Convert whole floats to integers."""
    wrong = np.flatnonzero(~np.isfinite(labels))
    if wrong.size:
        name = "NaN" if np.isnan(labels[wrong[0]]) else "inf"
        raise ValueError(f"label of row {wrong[0]} is missing (y contains {name})")
    wrong = np.flatnonzero(labels != np.rint(labels))
    if wrong.size:
        raise ValueError(_continuous(int(wrong[0]), float(labels[wrong[0]])))
    if np.abs(labels).max() >= 2.0**63:
        return _from_objects(labels.tolist())
    return labels.astype(np.int64)


def _continuous(row: int, label: float) -> str:
    return (
        f"Unknown label type: continuous (label of row {row} is {label}); a classifier takes "
        "classes, FaastRegressor takes numbers"
    )


def describe_label(label: Any) -> list[Any]:
    """Return one label, or a tuple of labels, as JSON: its type and value."""
    if isinstance(label, tuple):
        return ["tuple", [describe_label(part) for part in label]]
    return [type(label).__name__, label]


def label_from(description: Any) -> Any:
    """Rebuild what `describe_label` was given; raise ValueError if it cannot be a label."""
    kind, value = description
    if kind == "tuple":
        return tuple(label_from(part) for part in value)
    if type(value).__name__ != kind or type(value) not in _PLAIN:
        raise ValueError(f"a label of kind {kind!r} cannot be {value!r}")
    return value


def _sort_key(label: Hashable) -> tuple[str, Any]:
    if isinstance(label, int):
        return "", label
    if isinstance(label, tuple):
        return "tuple", tuple(_sort_key(part) for part in label)
    return type(label).__name__, label


def _object_array(labels: Iterable[Any]) -> AnyArray:
    labels = list(labels)
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array
