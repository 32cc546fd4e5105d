"""Classes of two models that were learned from labels of different kinds."""

from __future__ import annotations

from faast import FaastClassifier
from faast.data.labels import match_labels


def unify_classes(first: FaastClassifier, second: FaastClassifier) -> None:
    """Rename the classes of the second classifier to those of the first that they name."""
    labels = second.classes_.tolist()
    renamed = match_labels(labels, first.classes_.tolist())
    changed = {old: new for old, new in zip(labels, renamed, strict=True) if old is not new}
    if changed:
        second.rename_classes(changed)
