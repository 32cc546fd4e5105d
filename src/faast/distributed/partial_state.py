"""What a classifier has learned from some of the rows, in a form that can be merged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np

from faast._utils.arrays import AnyArray
from faast.core.state import Stored
from faast.core.statistics import Statistics
from faast.estimators import FaastClassifier
from faast.estimators.labels import label_indices
from faast.estimators.targets import CLASSES, KIND, TargetKind, check_order, unite_classes


@dataclass(frozen=True, eq=False)
class PartialState(Stored):
    """Classes and statistics of some rows; never changed in place.

    The states of all partitions merge, in any order, to the state of all rows.

    Attributes
    ----------
    classes : ndarray of shape (C,)
        See `ClassMemory`.
    statistics : Statistics
        With one column of values per class.
    kind : TargetKind
        How the targets of the rows were given.
    """

    classes: Annotated[AnyArray, CLASSES]
    statistics: Statistics
    kind: Annotated[TargetKind, KIND] = TargetKind.LABEL

    @classmethod
    def of(cls, classifier: FaastClassifier) -> Self:
        """Return the state of a classifier that has learned rows.

        Raises
        ------
        ValueError
            If the classifier has learned no rows.
        """
        statistics, memory = classifier.statistics_, classifier.learned_
        if statistics is None or memory is None:
            raise ValueError("the classifier has learned no rows, so it has no statistics")
        return cls(memory.classes, statistics, memory.kind)

    def merge(self, other: PartialState) -> PartialState:
        """Return the state of the rows of both, over the union of their classes.

        Raises
        ------
        ValueError
            If the states differ in the number of features or in the scale of their grid.
        """
        classes = unite_classes(self.kind, self.classes, other.classes)
        mine, theirs = (state._statistics_of(classes) for state in (self, other))
        return PartialState(classes, mine.merge(theirs), self.kind)

    def without_rows(self) -> PartialState:
        """Return a state of no rows on the same grid."""
        moments = self.statistics.moments.sum_batches(())
        capacity, maps = self.statistics.rows.capacity, self.statistics.maps
        return PartialState(self.classes, Statistics.empty(moments, capacity, maps), self.kind)

    def validate(self) -> None:
        """Raise ValueError if the statistics do not have one column of values per class."""
        check_order(self.kind, self.classes)
        n_values = self.statistics.moments.n_values
        if n_values != len(self.classes):
            raise ValueError(
                f"a state of {len(self.classes)} classes cannot have statistics of {n_values} "
                "columns of values"
            )

    def _statistics_of(self, classes: AnyArray) -> Statistics:
        """Return the statistics with one column of values per class of `classes`."""
        if np.array_equal(classes, self.classes):
            return self.statistics
        return self.statistics.select_outputs(label_indices(classes, self.classes))
