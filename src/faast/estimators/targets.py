"""Targets: which labels each row has, one a row or several, as lists or as an indicator matrix."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from scipy.sparse import issparse

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import to_numpy
from faast.core.state import Json
from faast.core.sums import select_columns
from faast.estimators.labels import (
    as_labels,
    describe_labels,
    distinct_labels,
    distinct_labels_from,
    label_indices,
    unite_labels,
)
from faast.estimators.numbers import require_distinct


class TargetKind(StrEnum):
    """How the targets of rows are given, and predictions answered.

    Attributes
    ----------
    LABEL
        One label per row.
    LABELS
        A list or set of labels per row, which may be empty. Any rows may bring new labels.
    INDICATOR
        A matrix of 0 and 1 with a fixed column for every label.
    """

    LABEL = "label"
    LABELS = "labels"
    INDICATOR = "indicator"

    @property
    def several(self) -> bool:
        """Whether a row may have several labels."""
        return self is not TargetKind.LABEL

    def answer(self, scores: FloatArray, classes: AnyArray) -> Any:
        """Return the labels of scores (n, C): the best, or those above 0, in this form."""
        if self is TargetKind.LABEL:
            return classes[scores.argmax(axis=1)]
        if self is TargetKind.INDICATOR:
            return (scores > 0).astype(np.int64)
        return [classes[row].tolist() for row in scores > 0]

    @property
    def description(self) -> str:
        """What error messages call targets of this kind."""
        return _DESCRIPTIONS[self]


_DESCRIPTIONS = {
    TargetKind.LABEL: "one label per row",
    TargetKind.LABELS: "a list of labels per row",
    TargetKind.INDICATOR: "an indicator matrix",
}

KIND = Json(str, TargetKind)
"""Rule that writes a kind of targets to a file."""

CLASSES = Json(describe_labels, distinct_labels_from)
"""Rule that writes classes to a file, in the order of their columns; see `check_order`."""


@dataclass(frozen=True, eq=False)
class Targets:
    """Which labels each of n rows has.

    Attributes
    ----------
    kind : TargetKind
    labels : ndarray of shape (C,)
        Distinct labels, sorted; of an indicator matrix the names of its columns in their order, or
        their numbers.
    marks : ndarray of shape (n, C), uint8
        1 where a row has a label.
    """

    kind: TargetKind
    labels: AnyArray
    marks: AnyArray

    def __len__(self) -> int:
        return len(self.marks)

    def __getitem__(self, rows: AnyArray) -> Targets:
        """Return the targets of some rows, given by their indices or by a mask.

        Labels that none of these rows has are left out, but for the columns of an indicator matrix.
        """
        marks = self.marks[rows]
        held = marks.any(axis=0)
        if self.kind is TargetKind.INDICATOR or held.all():
            return replace(self, marks=marks)
        return replace(self, labels=self.labels[held], marks=marks[:, held])

    def relabel(self, labels: Mapping[Hashable, Hashable]) -> Targets:
        """Return targets with other labels; columns of an indicator matrix keep theirs."""
        if self.kind is TargetKind.INDICATOR or labels.keys().isdisjoint(self.labels.tolist()):
            return self
        given = as_labels([labels.get(label, label) for label in self.labels.tolist()])
        found = distinct_labels(given)
        marks = np.zeros((len(self), len(found)), dtype=np.uint8)
        for place, column in zip(label_indices(given, found), self.marks.T, strict=True):
            marks[:, place] |= column
        return replace(self, labels=found, marks=marks)

    def require_like(self, kind: TargetKind, classes: AnyArray) -> Targets:
        """Return these targets if a model that learned a kind and classes can take them.

        Columns without names are those that the model has learned, in their order.

        Raises
        ------
        ValueError
            If targets are of another kind, or an indicator matrix has other columns.
        """
        if self.kind is not kind:
            raise ValueError(f"this model learned {kind.description}, got {self.kind.description}")
        if kind is not TargetKind.INDICATOR or not len(classes):
            return self
        if len(classes) != len(self.labels):
            raise ValueError(
                f"this model learned {len(classes)} indicator columns, got {len(self.labels)}"
            )
        numbered = np.array_equal(self.labels, np.arange(len(classes)))
        targets = replace(self, labels=classes) if numbered else self
        unite_classes(kind, classes, targets.labels)
        return targets

    def among(self, classes: AnyArray) -> AnyArray:
        """Return the marks with one column per class: (n, number of classes), uint8.

        Labels that are not among the classes have no column.
        """
        if np.array_equal(classes, self.labels):
            return self.marks
        if not len(self.labels):
            return np.zeros((len(self), len(classes)), dtype=np.uint8)
        return select_columns(self.marks, label_indices(classes, self.labels))

    def each(self) -> AnyArray:
        """Return the label of each row, (n,), where rows have one label."""
        return self.labels[self.marks.argmax(axis=1)] if len(self) else self.labels


def as_targets(y: Any, like: TargetKind | None = None) -> Targets:
    """Validate the targets of a classifier.

    Lists and sets hold the labels of a row; a tuple is one label. Lists of equal length that hold
    nothing but 0 and 1 are an indicator matrix, unless the model has learned lists of labels; sets
    never are.

    Parameters
    ----------
    y : Targets, or array-like of shape (n,)
        n labels; n lists, sets or arrays of labels; or an indicator matrix of shape (n, C) with
        C > 1, which may be sparse, or a data frame whose columns are named after the labels.
    like : TargetKind, optional
        What a model has learned. It says what lists of 0 and 1, and an empty list, stand for.

    Returns
    -------
    Targets

    Raises
    ------
    TypeError
        If `y` is an iterator.
    ValueError
        As for `as_labels`, if only some rows are lists, if an entry of a matrix is neither 0 nor 1,
        or if columns of a data frame have the same name.
    """
    if isinstance(y, Targets):
        return y
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    if isinstance(y, Iterator):
        raise TypeError(f"y is a {type(y).__name__}, which is read only once; pass list(y)")
    if issparse(y):
        sparse: Any = y
        y = sparse.toarray()
    if not isinstance(y, list | tuple) and not np.ma.is_masked(y):
        names = list(y.columns) if hasattr(y, "columns") else None
        y = to_numpy(y)
        if y.ndim == 2 and y.shape[1] != 1:
            return _indicator(y, names)
    rows = _collections(y)
    if rows is not None:
        is_matrix = like is not TargetKind.LABELS and _is_binary_matrix(rows)
        return _indicator(np.asarray(rows), None) if is_matrix else _label_sets(rows)
    if like is not None and like.several and not len(y):
        return Targets(like, np.zeros(0, dtype=np.int64), np.zeros((0, 0), dtype=np.uint8))
    given = as_labels(y)
    labels = distinct_labels(given)
    marks = np.zeros((len(given), len(labels)), dtype=np.uint8)
    marks[np.arange(len(given)), label_indices(given, labels)] = 1
    return Targets(TargetKind.LABEL, labels, marks)


def unite_classes(kind: TargetKind, left: AnyArray, right: AnyArray) -> AnyArray:
    """Return the classes of both, sorted; of indicator matrices, which must have the same columns.

    Raises
    ------
    ValueError
        If indicator matrices have other columns.
    """
    if kind is not TargetKind.INDICATOR:
        return unite_labels(left, right)
    if not len(left) or not len(right):
        return left if len(left) else right
    if set(left.tolist()) != set(right.tolist()):
        raise ValueError(
            "indicator matrices must have the same columns: "
            f"{', '.join(map(repr, left.tolist()[:5]))} and "
            f"{', '.join(map(repr, right.tolist()[:5]))}; lists of labels may bring new ones"
        )
    return left


def check_order(kind: TargetKind, classes: AnyArray) -> None:
    """Raise ValueError if classes are not sorted; columns of indicators may have any order."""
    if kind is not TargetKind.INDICATOR and not np.array_equal(classes, distinct_labels(classes)):
        raise ValueError("labels must be sorted")


def _collections(y: list[Any] | tuple[Any, ...] | AnyArray) -> list[Any] | None:
    """Return the rows of y, each a list, set or array of labels; None if no row is."""
    if isinstance(y, np.ndarray) and (y.dtype != object or y.ndim != 1):
        return None
    if not any(map(_is_several, y)):
        return None
    for row, labels in enumerate(y):
        if not _is_several(labels):
            raise ValueError(
                f"row {row} of y is {labels!r}, but other rows are lists of labels; write a list "
                "for every row, [] where it has no label"
            )
    return list(y)


def _is_several(labels: Any) -> bool:
    if isinstance(labels, list | set | frozenset):
        return True
    return hasattr(labels, "__array__") and np.ndim(labels) == 1


def _is_binary_matrix(rows: list[Any]) -> bool:
    """Return whether lists are the rows of a matrix of numbers or truth values 0 and 1."""
    width = len(rows[0])
    if width < 2 or any(len(row) != width or isinstance(row, set | frozenset) for row in rows):
        return False
    number = (bool, int, float, np.bool_, np.number)
    return all(isinstance(entry, number) and entry in (0, 1) for row in rows for entry in row)


def _label_sets(rows: list[Any]) -> Targets:
    places = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    given = as_labels([label for row in rows for label in row], places)
    labels = distinct_labels(given)
    marks = np.zeros((len(rows), len(labels)), dtype=np.uint8)
    marks[places, label_indices(given, labels)] = 1
    return Targets(TargetKind.LABELS, labels, marks)


def _indicator(matrix: AnyArray, names: list[Any] | None) -> Targets:
    labels = np.arange(matrix.shape[1]) if names is None else as_labels(names)
    require_distinct(labels.tolist())
    wrong = np.argwhere(~np.isin(matrix, (0, 1)))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f"row {row} of y holds {matrix[row, column]!s} in column {labels.tolist()[column]!r}; "
            "a matrix y must be a multi-label indicator, 1 where a row has the label and 0 "
            "elsewhere (write lists of labels to name them)"
        )
    return Targets(TargetKind.INDICATOR, labels, matrix.astype(np.uint8))
