"""Natural: a softmax layer learned in one pass by natural gradient.

One pass of natural gradient steps over a stream of blocks; see `Natural`.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from faast._utils.arrays import AnyArray, IntArray
from faast.core.persistence import State
from faast.core.weights import FastWeights
from faast.estimators.natural.fisher import STEPS, Fisher, Posterior, loss, probabilities
from faast.estimators.natural.stream import Examples, sampled


@dataclass(frozen=True)
class Natural:
    r"""Logistic regression in one pass over a stream: no backward graph, nothing to tune.

    Values are not fixed, but the gradient of the log-likelihood at what the model says now,
    v = e_y - p. With keys k = [x; 1] and after each block of rows

    A ← A + η (S/n + μI)⁻¹ [mean of v kᵀ - λ (S/n) A] (G/n + λI)⁻¹,

    G and S from `Fisher`: a natural gradient step (Amari 1998) with the Fisher matrix as the
    Kronecker product S ⊗ G (cf. Martens & Grosse 2015). λ is damping and Gaussian prior at once: at
    a fixed point Σ v kᵀ = λ S A, the ridge of this geometry, the bias free. A gradient over r of n
    rows moves r / n of the way, so that η = 1 is the recursive Bayes update.

    - Blocks propose and the next block disposes: one direction for each of five dampings; the rows
      of the next block, not yet learned, pick λ and η, 0 among them. The losses that they pick by
      are the online losses.
    - Blocks are a sixteenth of what was seen, and so are cut alike however long the stream will be.
    - The gradient is taken over a uniform sample of what was seen.
    - The answer is the polynomial-decay average of the iterates (weight about t⁷; Shamir & Zhang,
      ICML 2013). If it leaves the likelihood-ratio region of the sample's own optimum (Wilks 1938),
      the stream was not exchangeable, and the optimum is the answer.

    With class embeddings e_c the pass starts at scores s xᵀ(e_c - mean e), s chosen by the first
    block with 0 among the choices, and the prior pulls there.

    Moments do not determine the result, so rows cannot be forgotten, and two memories cannot be
    merged: these promises are those of the solvers that work from moments.

    Parameters
    ----------
    window : int
        Rows sampled for the gradient, held in float32.
    buffer : int
        The rows of a call are shuffled; across calls they pass through a shuffle of this many, as
        streams may be sorted by class. Much longer sorted streams lose some accuracy all the same.
    """

    window: int = 65536
    buffer: int = 8192

    def __post_init__(self) -> None:
        for name in ("window", "buffer"):
            if getattr(self, name) < 2:
                raise ValueError(f"{name} must be at least 2 rows, got {getattr(self, name)}")


DAMPINGS = np.array([0.01, 0.03, 0.1, 0.3, 1.0])
"""Half-decades from trusting every direction to the gradient alone."""

USUAL = 2
"""The damping where no block has chosen one."""

SCALES = (0.0, *(2.0**power for power in range(-4, 11)))
"""Inverse temperatures of class embeddings; CLIP's own is 100."""

FIRST_BLOCK = 64
GROWTH = 16
"""Blocks are a 16th of what was seen, and FIRST_BLOCK rows at least."""

MEMORY = 8
"""The average is over about the last 8th of the rows."""

MATRICES = ("A", "average", "origin", "zero_shot")


class NaturalPass:
    """What the blocks so far have left.

    Attributes
    ----------
    A : ndarray of shape (C, d + 1), float32
        The iterate, on keys [x / unit; 1].
    average, origin : ndarray of shape (C, d + 1), float32
        The origin is where the prior pulls to: what the class embeddings say, or 0.
    zero_shot : ndarray of shape (C, d + 1), float32
        Centred class embeddings; zeros where there are none.
    unit : float
        Root mean square norm of the first block's rows.
    seen : int
        Rows learned.
    fisher : Fisher
    sample : Examples
        Of keys.
    losses : list of float
        Of each block before it was learned, by the step that suited it best.
    chosen : list of [damping's index, step]
    """

    def __init__(self, settings: Natural, n_classes: int, n_features: int) -> None:
        width = n_features + 1
        self.settings = settings
        self.zero_shot: AnyArray = np.zeros((n_classes, width), np.float32)
        self.unit, self.seen = 1.0, 0
        self.A: AnyArray = np.zeros((n_classes, width), np.float32)
        self.average: AnyArray = self.A
        self.origin: AnyArray = self.A
        self.fisher = Fisher.nothing(n_classes, width)
        self.sample = Examples.none(width)
        self.losses: list[float] = []
        self.chosen: list[tuple[int, float]] = []
        self._directions: AnyArray | None = None

    @property
    def block_rows(self) -> int:
        """Rows of the next block."""
        return max(FIRST_BLOCK, self.seen // GROWTH)

    def learn(self, block: Examples) -> None:
        """Let a block of rows choose among the steps proposed, then learn it."""
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
            for i, direction in enumerate(self._proposed()):
                along = keys @ direction.T
                tried = [(loss(logits + eta * along, block), eta, i) for eta in STEPS]
                value, step, index = min((value, step, index), *tried)
            self.chosen.append((index, step))
            self._move(index, step, len(block))
        self.losses.append(value)
        self.fisher.add(keys, probabilities(keys @ self.A.T), block.weights)
        self.sample = sampled(self.sample, block, self.settings.window)
        self.seen += len(block)
        self._directions = None

    def _start(self, block: Examples) -> None:
        """Trust the class embeddings as far as the first block says, 0 included."""
        along = block.keys @ self.zero_shot.T * np.float32(self.unit)
        _, scale = min((loss(scale * along, block), scale) for scale in SCALES)
        self.A = self.average = self.origin = np.float32(scale * self.unit) * self.zero_shot

    def finish(self, rows: Examples) -> None:
        """Learn the last rows, too few for a block among them; a short pass is split in two."""
        while len(rows):
            size = self.block_rows
            if not self.seen and len(rows) < 2 * size:
                size = (len(rows) + 1) // 2
            elif len(rows) < 1.5 * size:
                size = len(rows)
            self.learn(rows.take(slice(size)))
            rows = rows.take(slice(size, None))

    def weights(self) -> FastWeights:
        """Take the step chosen last once more; return the average or the sample's optimum."""
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
            self.A = self.A + np.float32(step) * self._proposed()[index]
        share = MEMORY * n_rows / (self.seen + MEMORY * n_rows)
        self.average = self.average + np.float32(share) * (self.A - self.average)

    def _proposed(self) -> AnyArray:
        """One direction for each damping."""
        if self._directions is None:
            self._directions = self._posterior().directions(self.A, DAMPINGS)
        return self._directions

    def _posterior(self) -> Posterior:
        return Posterior(self.sample, self.fisher, self.origin)

    def widen(self, columns: IntArray, n_classes: int) -> None:
        """Move class c to columns[c] of n_classes; new classes start at zero."""
        for name in MATRICES:
            wider = np.zeros((n_classes, self.A.shape[1]), np.float32)
            wider[columns] = getattr(self, name)
            setattr(self, name, wider)
        self._directions = None
        self.fisher = self.fisher.widened(columns, n_classes)
        self.sample = self.sample.recoded(columns)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(tensor.nbytes for tensor in self.to_state().tensors.values())

    def copy(self) -> NaturalPass:
        """Return a copy that can learn on by itself."""
        twin = copy(self)
        n_classes = len(self.A)
        twin.fisher = self.fisher.widened(np.arange(n_classes), n_classes)
        twin.losses, twin.chosen = list(self.losses), list(self.chosen)
        return twin

    def to_state(self) -> State:
        """Return what a file keeps."""
        parts = {"fisher": self.fisher.to_state(), "sample": self.sample.to_state()}
        parts["matrices"] = State({name: getattr(self, name) for name in MATRICES}, {})
        names = ("losses", "chosen", "seen", "unit")
        return State.joined(parts, **{name: getattr(self, name) for name in names})

    @classmethod
    def from_state(cls, state: State, settings: Natural) -> NaturalPass:
        """Restore what `to_state` returned."""
        matrices = state.part("matrices").tensors
        restored = cls(settings, len(matrices["A"]), matrices["A"].shape[1] - 1)
        for name in MATRICES:
            setattr(restored, name, matrices[name])
        restored.fisher = Fisher.from_state(state.part("fisher"))
        restored.sample = Examples.from_state(state.part("sample"))
        restored.losses = [float(value) for value in state.metadata["losses"]]
        restored.chosen = [(int(i), float(eta)) for i, eta in state.metadata["chosen"]]
        restored.seen, restored.unit = int(state.metadata["seen"]), float(state.metadata["unit"])
        return restored
