"""Embeddings of classes: vectors by which classes are known, also without rows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.state import Array, Stored
from faast.estimators.labels import LABELS, as_labels, distinct_labels


@dataclass(frozen=True, eq=False)
class ClassEmbeddings(Stored):
    """Embeddings of classes, one vector per label.

    Attributes
    ----------
    labels : ndarray of shape (k,)
        Sorted.
    vectors : ndarray of shape (k, d), float64
    """

    labels: Annotated[AnyArray, LABELS]
    vectors: Annotated[FloatArray, Array("k", "d")]

    @classmethod
    def from_mapping(cls, given: Mapping[Hashable, FloatArray] | None) -> ClassEmbeddings | None:
        """Sort a mapping of label to vector of shape (d,); return None if it is empty."""
        if not given:
            return None
        labels = distinct_labels(as_labels(list(given)))
        vectors = [np.asarray(given[label], dtype=np.float64) for label in labels.tolist()]
        return cls(labels, np.stack(vectors))

    def to_mapping(self) -> dict[Hashable, FloatArray]:
        """Return a mapping of label to vector."""
        return dict(zip(self.labels.tolist(), self.vectors, strict=True))

    def relabel(self, labels: Mapping[Hashable, Hashable]) -> ClassEmbeddings | None:
        """Return embeddings with other labels; those of one new label are averaged."""
        groups: dict[Hashable, list[FloatArray]] = {}
        for label, vector in self.to_mapping().items():
            groups.setdefault(labels.get(label, label), []).append(vector)
        return self.from_mapping({label: np.mean(group, axis=0) for label, group in groups.items()})

    def validate(self) -> None:
        """Raise ValueError if the numbers of labels and of vectors differ."""
        if len(self.labels) != len(self.vectors) or not len(self.labels):
            raise ValueError("class embeddings need one vector per label")


def unite_embeddings(
    mine: ClassEmbeddings | None, theirs: ClassEmbeddings | None
) -> ClassEmbeddings | None:
    """Return the embeddings of both; raise ValueError if a label has two."""
    if mine is None or theirs is None:
        return mine or theirs
    known, others = mine.to_mapping(), theirs.to_mapping()
    for label in known.keys() & others.keys():
        # encoders of two machines may differ in the last bits
        if not np.allclose(known[label], others[label], rtol=1e-3, atol=1e-3):
            raise ValueError(
                f"the class {label!r} has another embedding in each model; give both the same "
                "class_embeddings before they learn"
            )
    return ClassEmbeddings.from_mapping(known | others)
