"""What a classifier with `Natural` holds: a stream's pass so far, and rows that wait for it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Self

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.core.persistence import State
from faast.estimators.head import Head, HeadRule
from faast.estimators.labels import as_labels, describe_labels, labels_from, positions, union
from faast.estimators.natural.one_pass import Natural, NaturalPass
from faast.estimators.natural.stream import Examples, in_random_order, shuffled

SEQUENTIAL = (
    "Natural learns from a stream: forgetting and merging are exact for the solvers that work from "
    'moments only, such as "auto", Ridge() or Discriminant()'
)


class NaturalMemory:
    """Classes and the natural-gradient pass over their rows; the sequential `ClassMemory`.

    The rows of a call are shuffled, pass through a shuffle that spans calls, and are learned block
    by block. Those that wait for their block take effect on a copy of the pass whenever a
    prediction is asked for, so that asking changes nothing.

    Parameters
    ----------
    solver : Natural
    embeddings : mapping of label to ndarray of shape (d,), optional
        Classes that are known before any row, and where the pass starts.

    Attributes
    ----------
    classes : ndarray of shape (C,)
        Sorted.
    n_rows : float
        Rows learned, or the sum of their weights.
    """

    def __init__(
        self, solver: Natural, embeddings: Mapping[Hashable, FloatArray] | None = None
    ) -> None:
        self._solver = solver
        self._embeddings = dict(embeddings) if embeddings else {}
        named = as_labels(list(self._embeddings))
        self.classes: AnyArray = union(named, named)
        self.n_rows = 0.0
        self._n_numbered = 0
        self._pass: NaturalPass | None = None
        self._shuffling = self._waiting = Examples.none(0)
        self._finished: NaturalPass | None = None
        self._head: Head | None = None

    def learn(self, X: AnyArray, y: AnyArray, weights: FloatArray | None) -> None:
        """Learn rows with their labels (n,); new classes are added.

        Raises
        ------
        ValueError
            An indicator matrix.
        """
        if y.ndim == 2:
            raise ValueError("Natural learns one label a row, got an indicator matrix")
        if not len(y):
            return
        arriving = in_random_order(self._numbered(X, y, weights))
        emitted, self._shuffling = shuffled(self._shuffling, arriving, self._solver.buffer)
        self._waiting = self._waiting.plus(emitted)
        learned = self._begun()
        while len(self._waiting) >= learned.block_rows:
            size = learned.block_rows
            learned.learn(self._waiting.take(slice(size)))
            self._waiting = self._waiting.take(slice(size, None))
        self._finished = self._head = None

    def forget(self, X: AnyArray, y: AnyArray, weights: FloatArray | None) -> None:
        """Refuse."""
        raise ValueError(SEQUENTIAL)

    def merge(self, other: object) -> None:
        """Refuse."""
        raise ValueError(SEQUENTIAL)

    @property
    def online_losses(self) -> list[float]:
        """Log-loss of each block before it was learned, by the step it chose."""
        return list(self._complete().losses)

    @property
    def nbytes(self) -> int:
        """Bytes that learning on needs."""
        held = self._shuffling.nbytes + self._waiting.nbytes
        return held if self._pass is None else held + self._pass.nbytes

    def places(self, hashes: AnyArray, y: AnyArray) -> IntArray | None:
        """Find no row among those kept for leave-one-out: there are none."""
        return None

    def head(self, rule: HeadRule) -> Head:
        """Return what predicts."""
        if self._head is None:
            self._head = Head(self.classes, False, self._complete().weights(), None, 1.0)
        return self._head

    def to_state(self, rule: HeadRule) -> State:
        """Return what a file keeps."""
        parts = {
            "pass": self._begun().to_state(),
            "shuffling": self._shuffling.to_state(),
            "waiting": self._waiting.to_state(),
            "head": self.head(rule).to_state(),
        }
        metadata: dict[str, Any] = {"classes": describe_labels(self.classes)}
        counts = {"n_rows": self.n_rows, "numbered": self._n_numbered}
        return State.joined(parts, **metadata, **counts, solver=vars(self._solver))

    @classmethod
    def from_state(cls, state: State, rule: HeadRule) -> Self:
        """Restore what `to_state` returned."""
        restored = cls(Natural(**state.metadata["solver"]))
        restored.classes = labels_from(state.metadata["classes"])
        restored.n_rows = float(state.metadata["n_rows"])
        restored._n_numbered = int(state.metadata["numbered"])
        restored._shuffling = Examples.from_state(state.part("shuffling"))
        restored._waiting = Examples.from_state(state.part("waiting"))
        restored._pass = NaturalPass.from_state(state.part("pass"), restored._solver)
        restored._head = Head.from_state(state.part("head"))
        return restored

    def _numbered(self, X: AnyArray, y: AnyArray, weights: FloatArray | None) -> Examples:
        """Give rows their numbers and class codes; new classes are added."""
        classes = union(self.classes, y)
        if self._pass is None:
            self._shuffling = self._waiting = Examples.none(X.shape[1])
            self._pass = NaturalPass(self._solver, len(classes), X.shape[1])
            if self._embeddings:
                vectors = np.stack(list(self._embeddings.values()))
                among = positions(as_labels(list(self._embeddings)), classes)
                self._pass.zero_shot[among, :-1] = vectors - vectors.mean(axis=0)
        else:
            moved = positions(self.classes, classes)
            self._pass.widen(moved, len(classes))
            self._shuffling = self._shuffling.recoded(moved)
            self._waiting = self._waiting.recoded(moved)
        self.classes = classes
        taken = np.ones(len(y)) if weights is None else weights
        self.n_rows += float(taken.sum())
        numbers = np.arange(self._n_numbered, self._n_numbered + len(y))
        self._n_numbered += len(y)
        codes, rows = positions(y, classes), np.asarray(X, dtype=np.float32)
        return Examples(rows, codes, taken.astype(np.float32), numbers)

    def _begun(self) -> NaturalPass:
        if self._pass is None:
            raise ValueError("nothing has been learned yet; call fit or partial_fit first")
        return self._pass

    def _complete(self) -> NaturalPass:
        """Return the pass after all rows, those that wait included."""
        if self._finished is None:
            self._finished = self._begun().copy()
            self._finished.finish(self._waiting.plus(in_random_order(self._shuffling)))
        return self._finished
