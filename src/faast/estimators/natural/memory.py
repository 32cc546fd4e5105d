"""State of a `NaturalGradientClassifier`: the pass so far, and rows not yet in a block."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from copy import copy
from typing import Self

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.state import State
from faast.estimators.head import Head
from faast.estimators.labels import (
    as_labels,
    describe_labels,
    label_indices,
    labels_from,
    unite_labels,
)
from faast.estimators.natural.one_pass import NaturalPass
from faast.estimators.natural.stream import Examples, in_random_order, shuffle
from faast.estimators.targets import TargetKind

LARGEST_ENTRY = 1e15


class NaturalMemory:
    """Classes and the natural-gradient pass over their rows; `learn` returns a new memory.

    The rows of a call are shuffled, pass through a shuffle buffer that spans calls, and are learned
    block by block. For a prediction, a copy of the pass learns the rows that still wait for their
    block, so that predicting does not change the state.

    Parameters
    ----------
    window, buffer : int
        See `NaturalGradientClassifier`.
    embeddings : mapping of label to ndarray of shape (d,), optional
        Classes that are known before any row; the pass starts at these embeddings.

    Attributes
    ----------
    classes : ndarray of shape (C,)
        Sorted.
    n_rows : float
        Number of rows learned, or the sum of their weights.
    """

    def __init__(
        self, window: int, buffer: int, embeddings: Mapping[Hashable, FloatArray] | None = None
    ) -> None:
        self._window, self._buffer = window, buffer
        self._embeddings = dict(embeddings) if embeddings else {}
        named = as_labels(list(self._embeddings))
        self.classes: AnyArray = unite_labels(named, named)
        self.n_rows = 0.0
        self._n_numbered = 0
        self._pass: NaturalPass | None = None
        self._shuffling = self._waiting = Examples.empty(0)
        self._finished: NaturalPass | None = None
        self._head: Head | None = None

    def learn(self, X: AnyArray, y: AnyArray, weights: FloatArray | None) -> NaturalMemory:
        """Return a memory that has also learned rows (n, d) with labels (n,), old or new."""
        if not len(y):
            return self
        grown = copy(self)
        grown._finished = grown._head = None
        grown._pass = None if self._pass is None else self._pass.copy()
        arriving = in_random_order(grown._number(X, y, weights))
        emitted, grown._shuffling = shuffle(grown._shuffling, arriving, self._buffer)
        waiting = grown._waiting.append(emitted)
        learned = grown._started()
        while len(waiting) >= learned.block_rows:
            size = learned.block_rows
            learned.learn(waiting.take(slice(size)))
            waiting = waiting.take(slice(size, None))
        grown._waiting = waiting
        return grown

    @property
    def online_losses(self) -> list[float]:
        """Log-loss of each block before it was learned, with the step that it chose."""
        return list(self._complete().losses)

    @property
    def nbytes(self) -> int:
        """Bytes that further learning needs."""
        held = self._shuffling.nbytes + self._waiting.nbytes
        return held if self._pass is None else held + self._pass.nbytes

    def head(self) -> Head:
        """Return the head that predicts, which is solved on the first call."""
        if self._head is None:
            self._head = Head(self.classes, TargetKind.LABEL, self._complete().weights(), 1.0)
        return self._head

    def to_state(self) -> State:
        """Return the content to write, with the head if it is solved."""
        parts = {
            "pass": self._started().to_state(),
            "shuffling": self._shuffling.to_state(),
            "waiting": self._waiting.to_state(),
        }
        if self._head is not None:
            parts["head"] = self._head.to_state()
        return State.join(
            parts,
            classes=describe_labels(self.classes),
            n_rows=self.n_rows,
            numbered=self._n_numbered,
            window=self._window,
            buffer=self._buffer,
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild a memory; errors as for `faast.load`."""
        metadata = state.metadata
        sizes = metadata["window"], metadata["buffer"]
        if any(type(size) is not int or not 2 <= size < 2**62 for size in sizes):
            raise ValueError(f"window and buffer must be at least 2 rows, got {sizes}")
        restored = cls(*sizes)
        restored.classes = labels_from(metadata["classes"])
        restored.n_rows = float(metadata["n_rows"])
        restored._n_numbered = int(metadata["numbered"])
        restored._shuffling = Examples.from_state(state.part("shuffling"))
        restored._waiting = Examples.from_state(state.part("waiting"))
        restored._pass = NaturalPass.from_state(state.part("pass"))
        n_classes, width = restored._pass.A.shape
        if n_classes != len(restored.classes) or not restored.n_rows >= 0:
            raise ValueError(f"{len(restored.classes)} classes cannot have {n_classes} outputs")
        for rows in (restored._shuffling, restored._waiting):
            _require_small(rows.keys)
            wide = rows.keys.shape[1] != width - 1
            if wide or (len(rows) and rows.codes.max() >= n_classes):
                raise ValueError("rows that wait to be learned do not fit the weights")
        if "head" in metadata:
            restored._head = Head.from_state(state.part("head"))
            if not np.array_equal(restored._head.classes, restored.classes):
                raise ValueError("the head predicts other classes than were learned")
        return restored

    def _number(self, X: AnyArray, y: AnyArray, weights: FloatArray | None) -> Examples:
        """Give rows their numbers and class codes; add new classes."""
        _require_small(X)
        classes = unite_labels(self.classes, y)
        if self._pass is None:
            self._shuffling = self._waiting = Examples.empty(X.shape[1])
            self._pass = NaturalPass(self._window, len(classes), X.shape[1])
            if self._embeddings:
                vectors = np.stack(list(self._embeddings.values()))
                among = label_indices(as_labels(list(self._embeddings)), classes)
                self._pass.zero_shot[among, :-1] = vectors - vectors.mean(axis=0)
        else:
            moved = label_indices(self.classes, classes)
            self._pass.add_classes(moved, len(classes))
            self._shuffling = self._shuffling.recode(moved)
            self._waiting = self._waiting.recode(moved)
        self.classes = classes
        taken = np.ones(len(y)) if weights is None else weights
        self.n_rows += float(taken.sum())
        numbers = np.arange(self._n_numbered, self._n_numbered + len(y))
        self._n_numbered += len(y)
        codes, rows = label_indices(y, classes), np.asarray(X, dtype=np.float32)
        return Examples(rows, codes, taken.astype(np.float32), numbers)

    def _started(self) -> NaturalPass:
        assert self._pass is not None  # since the first row
        return self._pass

    def _complete(self) -> NaturalPass:
        """Return a copy of the pass that has learned the waiting rows too."""
        if self._finished is None:
            finished = self._started().copy()
            finished.finish(self._waiting.append(in_random_order(self._shuffling)))
            self._finished = finished
        return self._finished


def _require_small(X: AnyArray) -> None:
    """Raise ValueError if the square of an entry would leave the range of float32."""
    peaks = np.abs(X).max(axis=1, initial=0).astype(np.float64)
    large = np.flatnonzero(peaks > LARGEST_ENTRY)
    if large.size:
        raise ValueError(
            f"row {large[0]} holds {peaks[large[0]]:g}; entries must be at most {LARGEST_ENTRY:g}, "
            "rescale them"
        )
