"""Class memory: statistics with one column of values per class."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import Batch
from faast.core.moments import Moments
from faast.core.row_weights import ROUNDING
from faast.core.state import NOT_STORED, Array, Range, Stored
from faast.core.statistics import Statistics
from faast.estimators.class_embeddings import ClassEmbeddings, unite_embeddings
from faast.estimators.labels import (
    as_labels,
    distinct_labels,
    label_indices,
    unite_labels,
)
from faast.estimators.targets import CLASSES, KIND, TargetKind, Targets, check_order, unite_classes

ONE_HOT_SCALE = 2.0**20
"""Grid scale of one-hot values: 1 is one grid unit, so counts may grow to 2**63."""


class LabelledRows(NamedTuple):
    """Rows (n, d), their targets, and weights (n,) if they are not all 1."""

    X: AnyArray
    targets: Targets
    weights: FloatArray | None


@dataclass(frozen=True, eq=False)
class ClassMemory(Stored):
    """Classes and the statistics of their rows; never changed in place.

    Attributes
    ----------
    classes : ndarray of shape (C,)
        Sorted labels; of indicator matrices the names of the columns in their order, or numbers.
    kind : TargetKind
        How the targets of rows are given.
    capacity : int
        Largest number of distinct rows to keep.
    maps : bool
        Whether to keep rows for random features beside the sample; see `Statistics`.
    key_scale : float, ndarray of shape (d,), or None
        See `Moments`.
    statistics : Statistics or None
        One column of values per class; None if no row was learned.
    embeddings : ClassEmbeddings or None
        Their labels are classes even without rows.
    heads : dict
        Cache of heads solved from this memory, by the settings they were solved with; not saved.
    """

    classes: Annotated[AnyArray, CLASSES]
    kind: Annotated[TargetKind, KIND]
    capacity: Annotated[int, Range(0, 2**62)]
    maps: bool
    key_scale: float | Annotated[FloatArray, Array("d")] | None = None
    statistics: Statistics | None = None
    embeddings: ClassEmbeddings | None = None
    heads: dict[Hashable, Any] = field(default_factory=dict, init=False, metadata=NOT_STORED)

    @classmethod
    def empty(
        cls,
        kind: TargetKind,
        capacity: int,
        maps: bool,
        key_scale: float | AnyArray | None,
        embeddings: Mapping[Hashable, FloatArray] | None,
    ) -> ClassMemory:
        """Return a memory without rows; see the class."""
        named = ClassEmbeddings.from_mapping(embeddings)
        classes = np.zeros(0, dtype=np.int64) if named is None else named.labels
        if key_scale is not None:
            scale = np.asarray(key_scale, dtype=np.float64)
            key_scale = scale if scale.ndim else float(scale)
        return cls(classes, kind, capacity, maps, key_scale, None, named)

    def learn(self, X: AnyArray, targets: Targets, weights: FloatArray | None) -> ClassMemory:
        """Return a memory that has also learned rows (n, d) with their targets.

        Raises
        ------
        ValueError
            If targets are of another kind than was learned, or a row does not fit.
        """
        targets = targets.require_like(self.kind, self.classes)
        if not len(targets):
            return self
        grown = self._arrange(unite_classes(self.kind, self.classes, targets.labels))
        statistics = grown.statistics or grown._no_rows(X.shape[1])
        part = statistics.sum_batches([Batch(X, targets.among(grown.classes), weights, 0)])
        return replace(grown, statistics=statistics.merge(part))

    def forget(self, X: AnyArray, targets: Targets, weights: FloatArray | None) -> ClassMemory:
        """Return a memory without these rows; classes left without rows and embedding are dropped.

        Raises
        ------
        ValueError
            If rows, or their class, were never learned.
        """
        marks = self.marks_of(targets)
        if self.statistics is None:
            raise ValueError("nothing has been learned yet, so there is nothing to forget")
        part = self.statistics.sum_batches([Batch(X, marks, weights, 0)], forgetting=True)
        return replace(self, statistics=self.statistics.unmerge(part))._without_empty_classes()

    def exchange(self, old: LabelledRows, new: LabelledRows) -> ClassMemory:
        """Return a memory in which rows have other labels, as if they had been learned with them.

        Parameters
        ----------
        old : LabelledRows
            The rows as they were learned.
        new : LabelledRows
            The same rows with their new labels, which may be new classes.

        Raises
        ------
        ValueError
            As for `forget`.
        """
        self.marks_of(old.targets)
        if self.statistics is None:
            raise ValueError("nothing has been learned yet, so there is nothing to relabel")
        targets = new.targets.require_like(self.kind, self.classes)
        grown = self._arrange(unite_classes(self.kind, self.classes, targets.labels))
        assert grown.statistics is not None
        removed, added = (
            grown.statistics.sum_batches(
                [Batch(rows.X, rows.targets.among(grown.classes), rows.weights, 0)],
                forgetting=rows is old,
            )
            for rows in (old, new)
        )
        changed = replace(grown, statistics=grown.statistics.exchange(removed, added))
        return changed._without_empty_classes()

    def merge(self, other: ClassMemory) -> ClassMemory:
        """Return a memory of both together; classes and their embeddings are united.

        Raises
        ------
        ValueError
            If widths, scales or kinds of targets differ, or a class has two embeddings.
        """
        if self.kind is not other.kind:
            raise ValueError(
                f"cannot merge a classifier that learned {self.kind.description} with one that "
                f"learned {other.kind.description}"
            )
        classes = unite_classes(self.kind, self.classes, other.classes)
        embeddings = unite_embeddings(self.embeddings, other.embeddings)
        mine, theirs = self._arrange(classes), other._arrange(classes)
        mine = replace(mine, embeddings=embeddings)
        if mine.statistics is None or theirs.statistics is None:
            return replace(mine, statistics=mine.statistics or theirs.statistics)
        return replace(mine, statistics=mine.statistics.merge(theirs.statistics))

    def embed(self, embeddings: Mapping[Hashable, FloatArray]) -> ClassMemory:
        """Return a memory with these embeddings, each of shape (d,), instead of the present ones.

        Classes left with neither rows nor an embedding are dropped.
        """
        named = ClassEmbeddings.from_mapping(embeddings)
        return replace(self, embeddings=named)._without_empty_classes()

    def relabel(self, labels: Mapping[Hashable, Hashable]) -> ClassMemory:
        """Return a memory with other labels; classes that are not in `labels` keep theirs.

        Classes that get the same label become one: their sums add up, and their embeddings are
        averaged. While all rows are held, the statistics are bit for bit those of rows learned
        with the new labels.
        """
        if labels.keys().isdisjoint(self.classes.tolist()):
            return self
        relabelled = as_labels([labels.get(label, label) for label in self.classes.tolist()])
        classes = distinct_labels(relabelled)
        if self.kind.several and len(classes) < len(self.classes):
            raise ValueError(
                "classes cannot be made one where rows may have several labels, as some rows may "
                "have both; learn the rows anew"
            )
        statistics, named = self.statistics, self.embeddings
        if statistics is not None:
            statistics = statistics.sum_outputs(label_indices(relabelled, classes))
        if named is not None:
            named = named.relabel(labels)
        return replace(self, classes=classes, statistics=statistics, embeddings=named)

    @property
    def counts(self) -> FloatArray:
        """Number of rows (or the sum of their weights) of each class, shape (C,)."""
        if self.statistics is None:
            return np.zeros(len(self.classes))
        return self.statistics.moments.value_sum

    @property
    def n_features(self) -> int | None:
        """Columns of the learned rows, or of the embeddings; None if there are neither."""
        if self.statistics is not None:
            return self.statistics.moments.n_features
        return None if self.embeddings is None else self.embeddings.vectors.shape[1]

    @property
    def n_rows(self) -> float:
        """Number of rows learned, or the sum of their weights."""
        return 0.0 if self.statistics is None else self.statistics.moments.count

    def embedding_matrix(self) -> FloatArray | None:
        """Return embeddings in the order of the classes, (C, d); None if there are none.

        Classes without an embedding get the mean embedding, which contributes nothing after
        centring.
        """
        if self.embeddings is None:
            return None
        vectors = self.embeddings.to_mapping()
        mean: FloatArray = self.embeddings.vectors.mean(axis=0)
        return np.stack([vectors.get(label, mean) for label in self.classes.tolist()])

    def marks_of(self, targets: Targets) -> AnyArray:
        """Return which classes rows have, (n, C), uint8.

        Raises
        ------
        ValueError
            If targets are of another kind than was learned, or a label is no class.
        """
        targets = targets.require_like(self.kind, self.classes)
        known = label_indices(targets.labels, self.classes) >= 0
        unknown = targets.marks[:, ~known]
        if unknown.any():
            row, place = np.argwhere(unknown)[0]
            raise ValueError(
                f"row {row}: class {targets.labels[~known].tolist()[place]!r} was never learned, "
                "so it has no rows"
            )
        return targets.among(self.classes)

    def validate(self) -> None:
        """Raise ValueError if statistics or embeddings do not fit the classes."""
        named, statistics = self.embeddings, self.statistics
        check_order(self.kind, self.classes)
        if named is not None and np.any(label_indices(named.labels, self.classes) < 0):
            raise ValueError("an embedding names a class that is not among the classes")
        if statistics is None:
            if len(self.classes) and (named is None or len(named.labels) != len(self.classes)):
                raise ValueError("classes have neither rows nor embeddings")
            return
        moments = statistics.moments
        if moments.n_values != len(self.classes):
            raise ValueError(
                f"{len(self.classes)} classes cannot have {moments.n_values} columns of values"
            )
        if named is not None and named.vectors.shape[1] != moments.n_features:
            raise ValueError("embeddings and rows have different widths")
        counts = moments.value_sum
        one_hot = np.array_equal(counts, moments.value_square_sum) if moments.exact else True
        single = not self.kind.several
        if not one_hot or (single and not np.isclose(counts.sum(), moments.count)):
            raise ValueError("values of classes must be 0 or 1, one class per row")
        sample = statistics.rows.values
        if not np.isin(sample, (0, 1)).all():
            raise ValueError("values of classes must be 0 or 1 in every sampled row")
        if single and np.any(np.count_nonzero(sample, axis=1) != 1):
            raise ValueError("a sampled row does not have exactly one class")

    def _without_empty_classes(self) -> ClassMemory:
        if self.kind is TargetKind.INDICATOR:
            return self
        filled = self.classes[self.counts > ROUNDING]
        named = filled[:0] if self.embeddings is None else self.embeddings.labels
        return self._arrange(unite_labels(filled, named))

    def _arrange(self, classes: AnyArray) -> ClassMemory:
        """Return the memory with one column per class of `classes`."""
        if np.array_equal(classes, self.classes) and classes.dtype == self.classes.dtype:
            return self
        statistics = self.statistics
        if self.n_rows <= ROUNDING:  # nothing learned yet, or nothing left
            statistics = None
        if statistics is not None:
            statistics = statistics.select_outputs(label_indices(classes, self.classes))
        return replace(self, classes=classes, statistics=statistics)

    def _no_rows(self, n_features: int) -> Statistics:
        moments = Moments(
            n_features, len(self.classes), key_scale=self.key_scale, value_scale=ONE_HOT_SCALE
        )
        return Statistics.empty(moments, self.capacity, self.maps)
