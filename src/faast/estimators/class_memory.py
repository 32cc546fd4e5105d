"""A memory whose columns of values have names: class labels, or the columns of an indicator."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Self

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.core.persistence import State
from faast.core.sample import ROUNDING
from faast.estimators.head import Head, HeadRule
from faast.estimators.labels import as_labels, describe_labels, labels_from, positions, union
from faast.estimators.memory import AssociativeMemory
from faast.estimators.natural.memory import SEQUENTIAL, NaturalMemory

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
    embeddings : mapping of label to ndarray of shape (d,), optional
        Classes that are known before any row, and stay when their last row is forgotten.

    Attributes
    ----------
    classes : ndarray of shape (C,)
        Sorted.
    """

    def __init__(
        self,
        memory: AssociativeMemory,
        multilabel: bool,
        embeddings: Mapping[Hashable, FloatArray] | None = None,
    ) -> None:
        self.memory = memory
        self.multilabel = multilabel
        self._name(embeddings)
        self.classes: AnyArray = union(self._named, self._named)
        self._head: tuple[HeadRule, Head] | None = None

    def learn(self, X: AnyArray, y: AnyArray, weights: FloatArray | None) -> None:
        """Learn rows with their labels (n,) or indicators (n, C); new classes are added."""
        self._require_kind(y)
        found = np.arange(y.shape[1]) if self.multilabel else y
        classes = union(self.classes, found) if len(y) else self.classes
        memory = self._arranged(classes)
        memory.learn(X, self._values(y, classes), weights)
        self.memory, self.classes, self._head = memory, classes, None

    def forget(self, X: AnyArray, y: AnyArray, weights: FloatArray | None) -> None:
        """Forget rows; classes with neither rows nor an embedding disappear.

        Raises
        ------
        ValueError
            Rows, or a whole class, that were never learned.
        """
        self._require_kind(y)
        if not self.multilabel:
            unknown = y[positions(y, self.classes) < 0]
            if len(unknown):
                raise ValueError(
                    f"class {unknown.tolist()[0]!r} was never learned, so it has no rows here"
                )
        self.memory.forget(X, self._values(y, self.classes), weights)
        self._head = None
        if not self.multilabel:
            filled = self.classes[self.counts > ROUNDING]
            classes = union(filled, self._named)
            self.memory, self.classes = self._arranged(classes), classes

    def merge(self, other: ClassMemory | NaturalMemory) -> None:
        """Learn everything another class memory has learned; the classes are united."""
        if isinstance(other, NaturalMemory):
            raise ValueError(SEQUENTIAL)
        if self.multilabel != other.multilabel:
            raise ValueError("cannot merge a multi-label classifier with a single-label one")
        classes = union(self.classes, other.classes)
        memory = self._arranged(classes)
        memory.merge(other._arranged(classes))
        self.memory, self.classes, self._head = memory, classes, None

    @property
    def embeddings(self) -> dict[Hashable, FloatArray]:
        """The embedding of each class that has one, shape (d,)."""
        return dict(self._embeddings or {})

    def embed(self, embeddings: Mapping[Hashable, FloatArray]) -> None:
        """Take these embeddings, of shape (d,), in place of all that there were.

        Classes with neither rows nor an embedding disappear.
        """
        filled = self.classes[self.counts > ROUNDING]
        self._name(embeddings)
        classes = union(filled, self._named)
        self.memory, self.classes, self._head = self._arranged(classes), classes, None

    def without_embeddings(self) -> ClassMemory:
        """Return what the rows alone say: a view on the same memory, to be read only."""
        bare = ClassMemory(self.memory, self.multilabel)
        bare.classes = self.classes
        bare.embed({})
        return bare

    def rename(self, labels: Mapping[Hashable, Hashable]) -> None:
        """Give classes other labels, one to one; those that are not named keep theirs."""
        renamed = as_labels([labels.get(label, label) for label in self.classes.tolist()])
        embeddings = {labels.get(label, label): v for label, v in self.embeddings.items()}
        self.classes = renamed
        classes = union(renamed, renamed)
        self.memory, self.classes, self._head = self._arranged(classes), classes, None
        self._name(embeddings)

    @property
    def counts(self) -> FloatArray:
        """Rows (or their weight) of each class, shape (C,)."""
        moments = self.memory.moments
        return np.zeros(len(self.classes)) if moments is None else moments.value_sum

    @property
    def embedded(self) -> FloatArray | None:
        """Embeddings in the order of the classes, shape (C, d); None where there are none.

        A class without one is given the mean of the others: what it says is nothing.
        """
        if self._embeddings is None:
            return None
        mean: FloatArray = np.mean(list(self._embeddings.values()), axis=0)
        return np.stack([self._embeddings.get(c, mean) for c in self.classes.tolist()])

    @property
    def n_rows(self) -> float:
        """Rows learned, or the sum of their weights."""
        return self.memory.count

    @property
    def nbytes(self) -> int:
        """Bytes that learning on and forgetting need."""
        return self.memory.nbytes

    def places(self, hashes: AnyArray, y: AnyArray) -> IntArray | None:
        """Find rows, given by hash and label, among the kept ones; None where one is missing."""
        kept = self.memory.rows
        if kept is None:
            return None
        codes = kept.values.argmax(axis=1)
        place = {
            pair: i for i, pair in enumerate(zip(kept.hashes.tolist(), codes.tolist(), strict=True))
        }
        wanted = zip(hashes.tolist(), positions(y, self.classes).tolist(), strict=True)
        found = [place.get(pair, -1) for pair in wanted]
        return None if -1 in found else np.array(found, dtype=np.int64)

    def head(self, rule: HeadRule) -> Head:
        """Return what predicts, solved when first asked for after a change."""
        if self._head is None or self._head[0] != rule:
            head = rule.solve(self.memory, self.classes, self.embedded, self.multilabel)
            self._head = rule, head
        return self._head[1]

    def to_state(self, rule: HeadRule) -> State:
        """Return what a file keeps."""
        parts = {"head": self.head(rule).to_state(), "memory": self.memory.to_state()}
        metadata: dict[str, Any] = {"multilabel": self.multilabel}
        metadata["classes"] = describe_labels(self.classes)
        if self._embeddings is not None:
            vectors = [self._embeddings[label] for label in self._named.tolist()]
            named = describe_labels(self._named)
            parts["embeddings"] = State({"vectors": np.stack(vectors)}, {"labels": named})
        return State.joined(parts, **metadata)

    @classmethod
    def from_state(cls, state: State, rule: HeadRule) -> Self:
        """Restore what `to_state` returned."""
        embeddings = None
        if "embeddings" in state.metadata:
            kept = state.part("embeddings")
            labels = labels_from(kept.metadata["labels"]).tolist()
            embeddings = dict(zip(labels, kept.tensors["vectors"], strict=True))
        memory = AssociativeMemory.from_state(state.part("memory"))
        restored = cls(memory, bool(state.metadata["multilabel"]), embeddings)
        restored.classes = labels_from(state.metadata["classes"])
        restored._head = rule, Head.from_state(state.part("head"))
        return restored

    def _name(self, embeddings: Mapping[Hashable, FloatArray] | None) -> None:
        self._embeddings = dict(embeddings) if embeddings else None
        self._named = as_labels(list(self._embeddings or []))

    def _arranged(self, classes: AnyArray) -> AssociativeMemory:
        """Return the memory with one column a class, a copy where anything moves."""
        if np.array_equal(classes, self.classes):
            return self.memory
        columns = positions(classes, self.classes)
        if not np.any(columns >= 0):  # nothing learned yet, or nothing left
            return self.memory.copy().reset()
        return self.memory.copy().select_outputs(columns)

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
