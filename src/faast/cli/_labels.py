"""Labels of text files, which do not tell the integer 1 from the text "1".

A file of which all labels read as integers gives integer classes. Labels that arrive later are
read as the kind that the classes already have.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from faast import FaastClassifier
from faast._utils.arrays import AnyArray
from faast.data import RowSource

INTEGER_LIMIT = 2**63
"""Larger integers do not fit into an integer array and stay text."""


def match_labels(labels: Sequence[Hashable], classes: AnyArray) -> list[Hashable]:
    """Convert integers to text or text to integers, whichever the classes are."""
    if _are_integers(classes):
        return [_to_integer(label) for label in labels]
    if _are_texts(classes):
        return [str(label) if type(label) is int else label for label in labels]
    return list(labels)


def unify_classes(first: FaastClassifier, second: FaastClassifier) -> None:
    """Rename integer classes to text in the classifier that has them, if the other one has text."""
    for one, other in ((first, second), (second, first)):
        if _are_integers(one.classes_) and _are_texts(other.classes_):
            one.rename_classes({label: str(label) for label in one.classes_.tolist()})


def restore_integers(classifier: FaastClassifier, source: RowSource) -> None:
    """Rename the classes of a new classifier to integers if its text file held nothing else."""
    if source.reader.typed:
        return
    integers = {label: _to_integer(label) for label in classifier.classes_.tolist()}
    if not any(isinstance(label, str) for label in integers.values()):
        classifier.rename_classes(integers)


def _are_integers(classes: AnyArray) -> bool:
    return classes.dtype.kind in "iu"


def _are_texts(classes: AnyArray) -> bool:
    return all(isinstance(label, str) for label in classes.tolist())


def _to_integer(label: Hashable) -> Hashable:
    """Return the integer that a text spells in the usual way, and anything else as it is."""
    try:
        number = int(str(label))
    except ValueError:
        return label
    is_usual = abs(number) < INTEGER_LIMIT and str(number) == str(label)
    return number if is_usual else label
