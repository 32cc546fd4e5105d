"""What some rows have left: classes and everything learned, not yet solved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from faast._typing import AnyArray
from faast.estimators import FaastClassifier
from faast.estimators.class_memory import ClassMemory
from faast.estimators.labels import describe_labels, labels_from, positions, union
from faast.learned import Learned
from faast.persistence import persistent
from faast.state import State


@persistent("partial")
@dataclass(frozen=True, eq=False)
class Partial:
    """The learned state of a part of the rows; states of all parts add up to that of all rows.

    Attributes
    ----------
    classes : ndarray of shape (C,)
        Sorted labels.
    learned : Learned
        Moments and kept rows, one column of values a class.
    """

    classes: AnyArray
    learned: Learned

    @classmethod
    def of(cls, classifier: FaastClassifier) -> Self:
        """Take what a classifier has learned."""
        memory = classifier.learned_
        assert isinstance(memory, ClassMemory)
        learned = memory.memory.learned
        assert learned is not None
        return cls(memory.classes, learned)

    def plus(self, other: Partial) -> Partial:
        """Return what both have learned together; the classes are united.

        Raises
        ------
        ValueError
            Other widths or scales.
        """
        classes = union(self.classes, other.classes)
        mine, theirs = (part._arranged(classes) for part in (self, other))
        return Partial(classes, mine.plus(theirs))

    def emptied(self) -> Partial:
        """Return a state without rows, on the grid that the rows decided."""
        learned = self.learned
        moments = learned.moments.summed(())
        return Partial(self.classes, Learned.nothing(moments, learned.rows.capacity, learned.lifts))

    def into(self, classifier: FaastClassifier) -> None:
        """Let a classifier that has learned no row have learned this."""
        classifier.n_features_in_ = self.learned.moments.n_features
        learned = classifier._nothing(self.classes)
        assert isinstance(learned, ClassMemory)
        classes = union(learned.classes, self.classes)
        learned.memory.learned, learned.classes = self._arranged(classes), classes
        classifier.learned_ = learned

    def to_state(self) -> State:
        """Return what a file keeps."""
        return State.joined(
            {"learned": self.learned.to_state()}, classes=describe_labels(self.classes)
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore what `to_state` returned."""
        return cls(
            labels_from(state.metadata["classes"]), Learned.from_state(state.part("learned"))
        )

    def _arranged(self, classes: AnyArray) -> Learned:
        """Return what was learned with one column a class of `classes`."""
        if np.array_equal(classes, self.classes):
            return self.learned
        return self.learned.take_values(positions(classes, self.classes))
