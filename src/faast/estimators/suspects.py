"""Suspects: learned rows whose label the model would not give if it had not learned them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.estimators.label_noise import LabelNoise
from faast.estimators.left_out import LeftOut
from faast.estimators.targets import Targets


@dataclass(frozen=True, eq=False)
class Suspects:
    """Learned rows, those whose label is most likely wrong first.

    Attributes
    ----------
    rows : ndarray of shape (n,), int
        Place of each row among the rows that were given.
    given : ndarray of shape (n,)
        Labels that they were learned with.
    suggested : ndarray of shape (n,)
        Labels that are most likely right; the given one where nothing speaks against it.
    doubt : ndarray of shape (n,)
        Probability that the given label is wrong, falling.
    """

    rows: IntArray
    given: AnyArray
    suggested: AnyArray
    doubt: FloatArray

    @classmethod
    def join(cls, parts: Sequence[tuple[IntArray, Suspects]]) -> Self:
        """Join the suspects of several batches; each comes with the numbers of its rows."""
        rows = np.concatenate([numbers[part.rows] for numbers, part in parts])
        given = np.concatenate([part.given for _, part in parts])
        suggested = np.concatenate([part.suggested for _, part in parts])
        return cls.ranked(rows, given, suggested, np.concatenate([p.doubt for _, p in parts]))

    @classmethod
    def ranked(
        cls, rows: IntArray, given: AnyArray, suggested: AnyArray, doubt: FloatArray
    ) -> Self:
        """Sort rows by falling doubt, then by their place."""
        order = np.lexsort((rows, -doubt))
        return cls(rows[order], given[order], suggested[order], doubt[order])

    @property
    def n_wrong(self) -> float:
        """Estimated number of rows whose label is wrong: the sum of `doubt`."""
        return float(self.doubt.sum())

    @property
    def n_flagged(self) -> int:
        """Number of rows for which another label is suggested."""
        return int(np.count_nonzero(self.given != self.suggested))

    def flagged(self) -> Suspects:
        """Return the rows for which another label is suggested."""
        return self._take(np.flatnonzero(self.given != self.suggested))

    def first(self, n: int | None) -> Suspects:
        """Return the first n rows; all of them for None."""
        return self._take(np.arange(len(self.rows))[:n])

    def _take(self, places: IntArray) -> Suspects:
        return Suspects(
            self.rows[places], self.given[places], self.suggested[places], self.doubt[places]
        )


class LabelCheck:
    """Checks labels of learned rows, batch by batch.

    Parameters
    ----------
    left_out : LeftOut
    """

    def __init__(self, left_out: LeftOut) -> None:
        self.left_out = left_out

    @cached_property
    def noise(self) -> LabelNoise:
        """The noise of labels, estimated from the sampled rows."""
        statistics = self.left_out.memory.statistics
        assert statistics is not None
        codes, weights = statistics.rows.values.argmax(axis=1), statistics.rows.weights
        return LabelNoise.from_left_out(self.left_out.sampled, codes, weights)

    def learned(self, X: AnyArray, targets: Targets) -> AnyArray:
        """Tell which rows may have been learned, (n,); see `LeftOut.learned`."""
        return self.left_out.learned(X, targets)

    def suspects(self, X: AnyArray, targets: Targets) -> Suspects:
        """Rank learned rows (n, d) with their targets.

        Raises
        ------
        ValueError
            If the label of a row is no class.
        """
        classes = self.left_out.memory.classes
        codes = self.left_out.memory.marks_of(targets).argmax(axis=1)
        true = self.noise.true_class(self.left_out.proba(X, targets), codes)
        doubt, rows = 1.0 - true[np.arange(len(codes)), codes], np.arange(len(codes))
        return Suspects.ranked(rows, classes[codes], classes[true.argmax(axis=1)], doubt)
