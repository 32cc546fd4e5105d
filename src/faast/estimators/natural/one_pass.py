"""One pass of natural-gradient steps over a stream of blocks; see `NaturalGradientClassifier`."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np

from faast._utils.arrays import AnyArray, IntArray
from faast.core.state import Array, State
from faast.core.weights import FastWeights
from faast.estimators.natural.fisher import Fisher, loss, probabilities
from faast.estimators.natural.posterior import STEPS, Posterior
from faast.estimators.natural.stream import Examples, sample

DAMPINGS = np.array([0.01, 0.03, 0.1, 0.3, 1.0])
"""From nearly full natural gradient steps to nearly plain gradient steps, by half-decades."""

USUAL = 2
"""Index of the damping that is used until a block has chosen one."""

SCALES = (0.0, *(2.0**power for power in range(-4, 11)))
"""Inverse temperatures of class embeddings; CLIP's own is 100."""

FIRST_BLOCK = 64
GROWTH = 16
"""A block is a 16th of the rows seen so far, and at least FIRST_BLOCK rows."""

MEMORY = 8
"""The average of iterates covers about the last eighth of the rows."""

MATRICES = ("A", "average", "origin", "zero_shot")


class NaturalPass:
    """One pass over a stream; its state after the blocks learned so far.

    Attributes
    ----------
    A : ndarray of shape (C, d + 1), float32
        The iterate, on keys [x / unit; 1].
    average, origin : ndarray of shape (C, d + 1), float32
        Average of the iterates, and mean of the prior: scaled class embeddings, or 0.
    zero_shot : ndarray of shape (C, d + 1), float32
        Centred class embeddings; zeros where there are none.
    unit : float
        Root mean square norm of the first block's rows.
    seen : int
        Number of rows learned.
    fisher : Fisher
        Curvature over all rows learned.
    sample : Examples
        Uniform sample of the rows learned, with keys [x / unit; 1].
    losses : list of float
        Log-loss of each block before it was learned, with the step that it chose.
    chosen : list of (int, float)
        Index of the damping and step length that each block after the first chose.
    """

    def __init__(self, window: int, n_classes: int, n_features: int) -> None:
        width = n_features + 1
        self.window = window
        self.zero_shot: AnyArray = np.zeros((n_classes, width), np.float32)
        self.unit, self.seen = 1.0, 0
        self.A: AnyArray = np.zeros((n_classes, width), np.float32)
        self.average: AnyArray = self.A
        self.origin: AnyArray = self.A
        self.fisher = Fisher.empty(n_classes, width)
        self.sample = Examples.empty(width)
        self.losses: list[float] = []
        self.chosen: list[tuple[int, float]] = []
        self._directions: AnyArray | None = None

    @property
    def block_rows(self) -> int:
        """Number of rows of the next block."""
        return max(FIRST_BLOCK, self.seen // GROWTH)

    def learn(self, block: Examples) -> None:
        """Choose among the proposed steps by the loss of a block, then learn the block."""
        if not self.seen:
            squares = np.einsum("ij,ij->i", block.keys, block.keys, dtype=np.float64)
            self.unit = float(np.sqrt(squares.mean())) or 1.0
        keys = np.hstack([block.keys / np.float32(self.unit), np.ones((len(block), 1), np.float32)])
        block = replace(block, keys=keys)
        if not self.seen:
            self._start(block)
        logits = keys @ self.A.T
        value, step, index = loss(logits, block), 0.0, 0
        if self.seen:
            for i, direction in enumerate(self._propose()):
                along = keys @ direction.T
                tried = [(loss(logits + eta * along, block), eta, i) for eta in STEPS]
                value, step, index = min((value, step, index), *tried)
            self.chosen.append((index, step))
            self._move(index, step, len(block))
        self.losses.append(value)
        self.fisher.add(keys, probabilities(keys @ self.A.T), block.weights)
        self.sample = sample(self.sample, block, self.window)
        self.seen += len(block)
        self._directions = None

    def _start(self, block: Examples) -> None:
        """Start at class embeddings, scaled by the factor of smallest loss on the first block."""
        along = block.keys @ self.zero_shot.T * np.float32(self.unit)
        _, scale = min((loss(scale * along, block), scale) for scale in SCALES)
        self.A = self.average = self.origin = np.float32(scale * self.unit) * self.zero_shot

    def finish(self, rows: Examples) -> None:
        """Learn the last rows, however few; if they are the first too, split them in two blocks."""
        while len(rows):
            size = self.block_rows
            if not self.seen and len(rows) < 2 * size:
                size = (len(rows) + 1) // 2
            elif len(rows) < 1.5 * size:
                size = len(rows)
            self.learn(rows.take(slice(size)))
            rows = rows.take(slice(size, None))

    def weights(self) -> FastWeights:
        """Return weights of the average iterate after one more step, or of the sample's optimum."""
        last, sample, fisher = copy(self), self.sample, self.fisher
        index, step = self.chosen[-1] if self.chosen else (USUAL, 1.0)
        last._move(index, step, self.block_rows)
        used = [i for i, eta in self.chosen[len(self.chosen) // 2 :] if eta] or [USUAL]
        damping = float(np.exp(np.median(np.log(DAMPINGS[used]))))
        optimum, gain = self._posterior().optimum(last.average, damping)
        eigenvalues = fisher.eigenvalues
        free = (len(self.A) - 1) * float((eigenvalues / (eigenvalues + damping)).sum())
        A = last.average if gain <= free / (2.0 * len(sample)) else optimum
        P = probabilities(sample.keys @ A.T)
        own = P[np.arange(len(P)), sample.codes]
        missed = sample.weights @ ((P * P).sum(axis=1) - 2.0 * own + 1.0)
        kept = eigenvalues[eigenvalues > 1e-6]
        return FastWeights(
            matrix=A[:, :-1].T.astype(np.float64) / self.unit,
            bias=A[:, -1].astype(np.float64),
            rank=len(kept),
            condition=float(np.sqrt(kept[-1] / kept[0])) if len(kept) else 1.0,
            explained=float(np.clip(1.0 - missed / sample.weights.sum(), 0.0, 1.0)),
            strength=damping,
        )

    def _move(self, index: int, step: float, n_rows: int) -> None:
        if step:
            self.A = self.A + np.float32(step) * self._propose()[index]
        share = MEMORY * n_rows / (self.seen + MEMORY * n_rows)
        self.average = self.average + np.float32(share) * (self.A - self.average)

    def _propose(self) -> AnyArray:
        """Return one direction for each damping."""
        if self._directions is None:
            self._directions = self._posterior().directions(self.A, DAMPINGS)
        return self._directions

    def _posterior(self) -> Posterior:
        return Posterior(self.sample, self.fisher, self.origin)

    def add_classes(self, columns: IntArray, n_classes: int) -> None:
        """Move class c to columns[c] of n_classes; new classes start at zero."""
        for name in MATRICES:
            wider = np.zeros((n_classes, self.A.shape[1]), np.float32)
            wider[columns] = getattr(self, name)
            setattr(self, name, wider)
        self._directions = None
        self.fisher = self.fisher.add_classes(columns, n_classes)
        self.sample = self.sample.recode(columns)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        matrices = sum(getattr(self, name).nbytes for name in MATRICES)
        return int(matrices + self.fisher.nbytes + self.sample.nbytes)

    def copy(self) -> NaturalPass:
        """Return an independent copy."""
        twin = copy(self)
        n_classes = len(self.A)
        twin.fisher = self.fisher.add_classes(np.arange(n_classes), n_classes)
        twin.losses, twin.chosen = list(self.losses), list(self.chosen)
        return twin

    def to_state(self) -> State:
        """Return the content to write."""
        parts = {"fisher": self.fisher.to_state(), "sample": self.sample.to_state()}
        parts["matrices"] = State({name: getattr(self, name) for name in MATRICES}, {})
        names = ("window", "losses", "chosen", "seen", "unit")
        return State.join(parts, **{name: getattr(self, name) for name in names})

    @classmethod
    def from_state(cls, state: State) -> NaturalPass:
        """Rebuild a pass; errors as for `faast.load`."""
        matrices, metadata = state.part("matrices").tensors, state.metadata
        shape = matrices["A"].shape
        for name in MATRICES:
            Array(*shape, dtypes=("float32",)).check(name, matrices[name], {})
        window = metadata["window"]
        if type(window) is not int or not 2 <= window < 2**62:
            raise ValueError(f"window must be at least 2 rows, got {window!r}")
        restored = cls(window, shape[0], shape[1] - 1)
        for name in MATRICES:
            setattr(restored, name, matrices[name])
        restored.fisher = Fisher.from_state(state.part("fisher"))
        restored.sample = Examples.from_state(state.part("sample"))
        if (
            restored.fisher.outputs.shape[0] != shape[0]
            or restored.fisher.gram.shape[0] != shape[1]
        ):
            raise ValueError("the Fisher information is of another width than the weights")
        codes, keys = restored.sample.codes, restored.sample.keys
        if keys.shape[1] != shape[1] or (len(codes) and codes.max() >= shape[0]):
            raise ValueError("the sampled rows do not fit the weights")
        restored.losses = [float(value) for value in metadata["losses"]]
        restored.chosen = [(int(i), float(eta)) for i, eta in metadata["chosen"]]
        if any(not 0 <= i < len(DAMPINGS) or not np.isfinite(eta) for i, eta in restored.chosen):
            raise ValueError(f"steps of a pass cannot be {metadata['chosen']!r}")
        restored.seen, restored.unit = int(metadata["seen"]), float(metadata["unit"])
        if restored.seen < 0 or not restored.unit > 0 or (restored.seen and not len(codes)):
            raise ValueError("a pass that has seen rows holds a sample of them, in positive units")
        return restored
