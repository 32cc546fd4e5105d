"""What a classifier is to learn: labels or indicators, and embeddings that name classes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from faast._typing import AnyArray, FloatArray
from faast.estimators.labels import as_labels, distinct
from faast.inputs import as_rows, to_numpy


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
