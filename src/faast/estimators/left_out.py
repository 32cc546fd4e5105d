"""Predict rows that a classifier has learned, as if it had never learned them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
from scipy.special import softmax

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.core.row_hashes import hash_rows
from faast.core.sample import RowArrays
from faast.estimators.class_memory import ClassMemory, LabelledRows
from faast.estimators.head import Head
from faast.estimators.only_rows import without_only_rows
from faast.estimators.targets import Targets, unite_classes
from faast.solvers import Solution

NOT_SAMPLED, NEVER_LEARNED = -1, -2
"""What `find_rows` returns for rows that are not in the sample."""

BATCH_ROWS = 1024
"""Rows left out at a time: random features of a batch take up to 30 MB."""


class LeftOut:
    """Probabilities of learned rows, each by the model without this row.

    The class of its only row is unknown without it, and gets the probability 0. Sampled rows have
    leave-one-out scores since the head was solved. Others are left out of the
    moments in closed form, for which the memory is solved once more.

    Parameters
    ----------
    memory : ClassMemory
    head : Head
        Solved from the memory in this process.
    solve : callable
        Solves the memory; called at the first row that is not in the sample.
    recalled : bool
        Whether rows will have exactly the features that they were learned with. Otherwise no row is
        found in the sample, and whether it was learned cannot be told.

    Raises
    ------
    ValueError
        If the model holds indicator columns, or no rows that could be left out.
    """

    def __init__(
        self, memory: ClassMemory, head: Head, solve: Callable[[], Solution], recalled: bool = True
    ) -> None:
        if memory.kind.several or head.loo_scores is None:
            raise ValueError(
                "rows can be left out of a model of single labels that has learned two rows or "
                "more and keeps some of them (selection_rows > 0)"
            )
        assert memory.statistics is not None
        self.memory, self.head, rows = memory, head, memory.statistics.rows
        logits = head.loo_scores.astype(np.float64) / head.temperature
        self.sampled: FloatArray = self._shares(logits, rows.values, rows.weights)
        self._solve, self._recalled = solve, recalled

    @cached_property
    def _solution(self) -> Solution:
        return self._solve()

    def learned(self, X: AnyArray, targets: Targets) -> AnyArray:
        """Tell which rows may have been learned: False where it is certain that they were not.

        Parameters
        ----------
        X : ndarray of shape (n, d)
        targets : Targets

        Returns
        -------
        ndarray of shape (n,), bool
        """
        if not self._recalled:
            return np.ones(len(X), dtype=bool)
        return find_rows(self.memory, X, targets) != NEVER_LEARNED

    def proba(self, X: AnyArray, targets: Targets) -> FloatArray:
        """Return probabilities (n, C) of rows (n, d) that were learned with these targets.

        Raises
        ------
        ValueError
            If the label of a row is no class.
        """
        marks = self.memory.marks_of(targets)
        places = find_rows(self.memory, X, targets)
        found = self.sampled[np.maximum(places, 0)]
        for batch in _batches(np.flatnonzero(places < 0)):
            found[batch] = self._leave_out(X[batch], marks[batch])
        return found

    def _leave_out(self, X: AnyArray, marks: AnyArray) -> FloatArray:
        assert self.memory.statistics is not None
        moments = self.memory.statistics.moments
        values = marks.astype(np.float64)
        keys, _ = moments.from_grid(moments.key_grid.rounded(X), values)
        rows = RowArrays(keys, values, np.ones(len(X)))
        logits = self._solution.leave_out(rows) / self._solution.temperature
        return self._shares(logits, values, rows.weights)

    def _shares(self, logits: FloatArray, marks: AnyArray, weights: FloatArray) -> FloatArray:
        """Return the probabilities of logits (n, C) of rows that were left out."""
        known = without_only_rows(logits, marks.argmax(axis=1), weights, self.memory)
        shares: FloatArray = softmax(known, axis=1)
        return shares


def find_rows(memory: ClassMemory, X: AnyArray, targets: Targets) -> IntArray:
    """Return the index of each row in the sample of a memory, (n,).

    NOT_SAMPLED stands for a row that may have been learned, NEVER_LEARNED for one that the sample
    would hold if it had been.
    """
    if memory.statistics is None:
        return np.full(len(X), NEVER_LEARNED)
    sample, grid = memory.statistics.rows, memory.statistics.moments.key_grid
    held = _pairs(sample.hashes, sample.values.astype(np.uint8))
    places = {pair: i for i, pair in enumerate(held)}
    hashes = hash_rows(grid.rounded(X))
    wanted = _pairs(hashes, targets.among(memory.classes))
    found = np.array([places.get(pair, NOT_SAMPLED) for pair in wanted], dtype=np.int64)
    return np.where((found < 0) & sample.samples(hashes), NEVER_LEARNED, found)


def give_labels(
    memory: ClassMemory, rows: tuple[AnyArray, Targets], old: LabelledRows, new: LabelledRows
) -> tuple[AnyArray, Targets] | None:
    """Return rows and their targets once some of them, as they are in `old`, got those of `new`.

    Of equal rows the first ones get other labels; what is not among the rows is passed over. None
    is returned where class weights of 0 removed other rows from `old` than from `new`.
    """
    if memory.statistics is None or not np.array_equal(old.X, new.X):
        return None
    (X, targets), grid = rows, memory.statistics.moments.key_grid
    labels = unite_classes(targets.kind, targets.labels, old.targets.labels)
    labels = unite_classes(targets.kind, labels, new.targets.labels)
    marks = targets.among(labels).copy()
    places = defaultdict(list)
    for place, pair in enumerate(_pairs(hash_rows(grid.rounded(X)), marks)):
        places[pair].append(place)
    wanted = _pairs(hash_rows(grid.rounded(old.X)), old.targets.among(labels))
    for pair, given in zip(wanted, new.targets.among(labels), strict=True):
        if places[pair]:
            marks[places[pair].pop(0)] = given
    return X, Targets(targets.kind, labels, marks)[np.arange(len(marks))]


def _pairs(hashes: AnyArray, marks: AnyArray) -> list[tuple[int, bytes]]:
    """Return what tells sampled rows apart: the hash of each row, and its labels."""
    return [(key, row.tobytes()) for key, row in zip(hashes.tolist(), marks, strict=True)]


def _batches(rows: IntArray) -> Iterator[IntArray]:
    return (rows[start : start + BATCH_ROWS] for start in range(0, len(rows), BATCH_ROWS))
