"""What a classifier has learned from some of the rows, in a form that can be added up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from faast._utils.arrays import AnyArray
from faast.core.persistence import State, persistent
from faast.core.statistics import Statistics
from faast.estimators import FaastClassifier
from faast.estimators.class_memory import ClassMemory
from faast.estimators.labels import describe_labels, labels_from, positions, union


@persistent("partial")
@dataclass(frozen=True, eq=False)
class PartialState:
    """Classes and statistics of some rows.

    The states of all partitions add up, in any order, to the state of all rows.

    Attributes
    ----------
    classes : ndarray of shape (C,)
        Sorted labels.
    statistics : Statistics
        With one output column per class.
    """

    classes: AnyArray
    statistics: Statistics

    @classmethod
    def of(cls, classifier: FaastClassifier) -> Self:
        """Return the state of a classifier of single labels."""
        memory = classifier.learned_
        assert isinstance(memory, ClassMemory)
        statistics = memory.memory.learned
        assert statistics is not None
        return cls(memory.classes, statistics)

    def plus(self, other: PartialState) -> PartialState:
        """Return the state of the rows of both, over the union of their classes.

        Raises
        ------
        ValueError
            If the states differ in the number of features or in the scale of their grid.
        """
        classes = union(self.classes, other.classes)
        mine, theirs = (state._with_classes(classes) for state in (self, other))
        return PartialState(classes, mine.plus(theirs))

    def without_rows(self) -> PartialState:
        """Return a state of no rows on the same grid."""
        moments = self.statistics.moments.summed(())
        rows = self.statistics.rows
        nothing = Statistics.nothing(moments, rows.capacity, self.statistics.lifts)
        return PartialState(self.classes, nothing)

    def load_into(self, classifier: FaastClassifier) -> None:
        """Give the state to a classifier that has learned no rows."""
        classifier.n_features_in_ = self.statistics.moments.n_features
        learned = classifier._nothing(self.classes)
        assert isinstance(learned, ClassMemory)
        classes = union(learned.classes, self.classes)
        learned.memory.learned, learned.classes = self._with_classes(classes), classes
        classifier.learned_ = learned

    def to_state(self) -> State:
        """Return tensors and metadata for a file."""
        return State.joined(
            {"statistics": self.statistics.to_state()}, classes=describe_labels(self.classes)
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore what `to_state` returned."""
        return cls(
            labels_from(state.metadata["classes"]), Statistics.from_state(state.part("statistics"))
        )

    def _with_classes(self, classes: AnyArray) -> Statistics:
        """Return the statistics with one output column per class of `classes`."""
        if np.array_equal(classes, self.classes):
            return self.statistics
        return self.statistics.select_outputs(positions(classes, self.classes))
