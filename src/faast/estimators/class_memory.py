"""A memory whose columns of values have names: class labels, or the columns of an indicator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from faast._typing import AnyArray, FloatArray
from faast.confidence import fit_temperature
from faast.estimators.head import Head
from faast.estimators.labels import as_labels, describe_labels, labels_from, positions, union
from faast.inputs import to_numpy
from faast.memory import AssociativeMemory
from faast.state import State

ONE_HOT_SCALE = 2.0**20
"""Grid scale of one-hot values: a 1 is one unit, so counts may grow to 2**63."""


class ClassMemory:
    """Classes and the memory of their rows.

    Parameters
    ----------
    memory : AssociativeMemory
        Not yet taught; its value scale should be `ONE_HOT_SCALE`.
    multilabel : bool
        Targets are indicator matrices, and classes their column numbers.

    Attributes
    ----------
    classes : ndarray of shape (C,)
        Sorted.
    """

    def __init__(self, memory: AssociativeMemory, multilabel: bool) -> None:
        self.memory = memory
        self.multilabel = multilabel
        self.classes: AnyArray = np.empty(0, dtype=np.int64)
        self._head: Head | None = None

    def learn(self, X: AnyArray, y: AnyArray, weights: FloatArray | None) -> None:
        """Learn rows with their labels (n,) or indicators (n, C); new classes are added."""
        self._require_kind(y)
        found = np.arange(y.shape[1]) if self.multilabel else y
        classes = union(self.classes, found) if len(y) else self.classes
        memory = self._arranged(classes)
        memory.learn(X, self._values(y, classes), weights)
        self.memory, self.classes, self._head = memory, classes, None

    def forget(self, X: AnyArray, y: AnyArray, weights: FloatArray | None) -> None:
        """Forget rows; classes without rows disappear.

        Raises
        ------
        ValueError
            Rows, or a whole class, that were never learned.
        """
        self._require_kind(y)
        if not self.multilabel:
            unknown = y[positions(y, self.classes) < 0]
            if len(unknown):
                raise ValueError(f"class {unknown[0]!r} was never learned, so it has no rows here")
        self.memory.forget(X, self._values(y, self.classes), weights)
        self._head = None
        filled = np.flatnonzero(self.counts > 1e-9)
        if not self.multilabel and len(filled) < len(self.classes):
            self.memory = self._arranged(self.classes[filled])
            self.classes = self.classes[filled]

    def merge(self, other: ClassMemory) -> None:
        """Learn everything another class memory has learned; the classes are united."""
        if self.multilabel != other.multilabel:
            raise ValueError("cannot merge a multi-label classifier with a single-label one")
        classes = union(self.classes, other.classes)
        memory = self._arranged(classes)
        memory.merge(other._arranged(classes))
        self.memory, self.classes, self._head = memory, classes, None

    @property
    def counts(self) -> FloatArray:
        """Rows (or their weight) of each class, shape (C,)."""
        moments = self.memory.moments
        return np.zeros(0) if moments is None else moments.value_sum

    @property
    def head(self) -> Head:
        """What predicts, solved when first asked for after a change."""
        if self._head is None:
            memory = self.memory
            weights, temperature = memory.weights, 1.0
            if memory.rows is not None and len(memory.rows) > 1:
                codes = memory.rows.values.argmax(axis=1)
                temperature = fit_temperature(memory.loo_values(), codes, memory.rows.weights)
            self._head = Head(self.classes, self.multilabel, weights, temperature)
        return self._head

    def to_state(self) -> State:
        """Return what a file keeps."""
        return State.joined(
            {"memory": self.memory.to_state(), "head": self.head.to_state()},
            classes=describe_labels(self.classes),
            multilabel=self.multilabel,
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore what `to_state` returned."""
        restored = cls(
            AssociativeMemory.from_state(state.part("memory")), state.metadata["multilabel"]
        )
        restored.classes = labels_from(state.metadata["classes"])
        restored._head = Head.from_state(state.part("head"))
        return restored

    def _arranged(self, classes: AnyArray) -> AssociativeMemory:
        """Return the memory with one column a class, a copy where anything moves."""
        if np.array_equal(classes, self.classes):
            return self.memory
        columns = positions(classes, self.classes)
        if not np.any(columns >= 0):  # nothing learned yet, or nothing left
            return self.memory.copy().reset()
        return self.memory.copy().take_values(columns)

    def _values(self, y: AnyArray, classes: AnyArray) -> AnyArray:
        if self.multilabel:
            return y
        values = np.zeros((len(y), len(classes)), dtype=np.uint8)
        values[np.arange(len(y)), positions(y, classes)] = 1
        return values

    def _require_kind(self, y: AnyArray) -> None:
        if (y.ndim == 2) != self.multilabel:
            kinds = "an indicator matrix", "one label a row"
            expected, given = kinds if self.multilabel else kinds[::-1]
            raise ValueError(f"this model learned {expected}, got {given}")
        if self.multilabel and len(self.classes) not in (0, y.shape[1]):
            raise ValueError(
                f"this model learned {len(self.classes)} indicator columns, got {y.shape[1]}"
            )


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
