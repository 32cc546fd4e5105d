"""The natural pass: one pass of natural-gradient steps on the log-likelihood of next tokens.

It learns a matrix A that shifts what enters the head, h + k A, with keys k made of h. Rows come in
blocks, and each block does two things. First it takes the step that the block before proposed, with
the length that suits this block best, 0 among the candidates. Then it proposes a step of its own:
the gradient of the log-likelihood, preconditioned by the keys' second moments on one side and by
the curvature of the head on the other, both of all rows so far: about what a Kalman filter would
make of the block (Ollivier 2018, arXiv 1703.00209). Of a large vocabulary each block sees a sample.
Reads use the average of the iterates times a share from 0 to 1: the one that predicted the latest
blocks best before they were learned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from statistics import mean
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from faast.core.state import Array, Range
from faast.lm.head_rows import LONGEST_TEXT
from faast.lm.key_features import KeyFeatures
from faast.lm.state import LARGEST_COUNT, SETTING, LearnedState, checked
from faast.lm.vocabulary_sample import sample_vocabulary

if TYPE_CHECKING:
    from faast.lm.head_rows import HeadRows
    from faast.lm.lm_head import LMHead

# blocks
FIRST_BLOCK = 512
LARGEST_BLOCK = 2048
GROWTH = 1.2
PROBE_ROWS = 256
"""At least so many rows of a block choose the length of a step."""

# steps
STEPS = (0.0, 0.25, 0.5, 1.0)
"""Candidate lengths of a step."""
LONG_STEP = 2.0
"""A further candidate once texts outweigh the prior: summed curvature includes that of early, worse
predictions, which makes later steps too short where a large shift is needed."""
LARGEST_LOSS = 700.0
"""Mean negative log-likelihood whose exponential is still finite, in nats."""
PRIOR_STRENGTH = 0.0025
"""Texts that the prior, of mean zero on A, weighs as much as: per entry of a (d, d) matrix. Random
features, which are functions of the same d numbers, do not add to it."""

# answer
LATE_WEIGHT = 4.0
"""How much more than earlier ones a block weighs in the average of the iterates."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Candidate shares of the average iterate; 0 is the frozen model."""
SCORE_DECAY = 0.7
"""Factor on older scores where the candidates are compared."""
PRIOR_ROWS = 0.5
"""Rows per column of the hidden states that the frozen model counts for: N rows learned are worth
N / (N + prior rows). Neighbouring text overstates what holds far away, the more so the wider."""


_WEIGHTS = checked(Array("D", "d", dtypes=("float32",)))
_COUNT = checked(Range(0, LARGEST_COUNT))


@dataclass(frozen=True)
class NaturalPass(LearnedState):
    """The pass after some blocks; learning a block returns a new one.

    Attributes
    ----------
    iterate, average : Tensor of shape (D, d), float32
        A, and its average over the rows, late ones weighed more. D is d, or d + 1 where keys are
        [h; 1], or more with random features.
    direction : Tensor of shape (D, d), float32
        Step that the last block proposes.
    gram : Tensor of shape (D, D), float64
        Sum of key keyᵀ.
    curvature : Tensor of shape (d, d), float64
        Sum of the Fisher information of the rows.
    step : float
        Length of the last step of a whole block that was chosen; 0 before.
    count, last_rows : int
        Rows in the sums; rows of the last block.
    texts : float
        Texts in the sums; one of more than `LONGEST_TEXT` rows counts as several.
    scores : tuple of float
        Decayed mean losses, before learning, with each of `SHARES`.
    online_loss, online_rows : float, int
        Summed loss, before learning, of the rows that probed the blocks; their number.
    key_features : KeyFeatures or None
        Makes keys with random features; None where keys are h or [h; 1].
    """

    iterate: Tensor = field(metadata=_WEIGHTS)
    average: Tensor = field(metadata=_WEIGHTS)
    direction: Tensor = field(metadata=_WEIGHTS)
    gram: Tensor = field(metadata=checked(Array("D", "D")))
    curvature: Tensor = field(metadata=checked(Array("d", "d")))
    step: float = field(default=0.0, metadata=checked(Range(0.0, LONG_STEP)))
    count: int = field(default=0, metadata=_COUNT)
    last_rows: int = field(default=0, metadata=checked(Range(0, LARGEST_BLOCK)))
    texts: float = field(default=0.0, metadata=_COUNT)
    scores: tuple[float, ...] = (0.0,) * len(SHARES)
    online_loss: float = field(default=0.0, metadata=checked(Range(0.0)))
    online_rows: int = field(default=0, metadata=_COUNT)
    key_features: KeyFeatures | None = field(default=None, metadata=SETTING)

    @classmethod
    def empty(
        cls,
        n_keys: int,
        n_outputs: int,
        device: torch.device | str = "cpu",
        key_features: KeyFeatures | None = None,
    ) -> NaturalPass:
        """Return a pass before its first block, with keys of width D and outputs of width d."""
        weights = torch.zeros(n_keys, n_outputs, device=device)
        return cls(
            *(weights,) * 3,
            torch.zeros(n_keys, n_keys, dtype=torch.float64, device=device),
            torch.zeros(n_outputs, n_outputs, dtype=torch.float64, device=device),
            key_features=key_features,
        )

    @property
    def weights(self) -> Tensor:
        """The answer: what is added to h is its key times these, shape (D, d), float32.

        Notes
        -----
        It is the share of the average iterate that had the least loss on the latest blocks before
        they were learned. The last iterate is not a candidate: neighbouring blocks tend to be of
        one document, which favours it on the next block but not on later text.
        """
        prior_rows = PRIOR_ROWS * self.average.shape[1]
        return SHARES[self._best_score] * self.count / (self.count + prior_rows) * self.average

    @property
    def online_perplexity(self) -> float:
        """Perplexity of rows before they were learned; NaN until a block has been learned."""
        if not self.online_rows:
            return math.nan
        loss = self.online_loss / self.online_rows
        return math.exp(loss) if loss < LARGEST_LOSS else math.inf

    def validate(self, empty: NaturalPass) -> None:
        """Raise ValueError where counts and sums contradict each other."""
        del empty
        if not max(self.last_rows, self.online_rows) <= self.count or (
            (self.count > 0) != (self.last_rows > 0)
        ):
            raise ValueError(
                f"a pass of {self.count} rows cannot have a last block of {self.last_rows} rows "
                f"and {self.online_rows} rows that probed its blocks"
            )
        if not 0.999 * self.count / LONGEST_TEXT <= self.texts <= 1.001 * self.count:
            raise ValueError(f"{self.count} rows cannot be of {self.texts:g} texts")
        if self.online_loss > LARGEST_LOSS * self.online_rows:
            raise ValueError(f"online_loss is too large: {self.online_loss:g}")
        if not all(0.0 <= score <= LARGEST_LOSS for score in self.scores):
            raise ValueError(f"scores must be mean losses, got {self.scores}")
        weights = self.iterate, self.average, self.direction
        sums = self.gram, self.curvature
        if not self.count and any(bool(part.any()) for part in weights + sums):
            raise ValueError("a pass of no rows holds sums or weights")
        for total in sums:
            if bool((total - total.T).abs().max() > 1e-3 * total.abs().max()):
                raise ValueError("a sum of second moments is not symmetric")
            if self.count:
                _damped_solve(total, self._damping, total[:, :1])  # raises unless positive definite

    def next_block(self) -> int:
        """Return the rows of the next block: blocks grow, so that the first ones act soon."""
        grown = FIRST_BLOCK if not self.last_rows else int(GROWTH * self.last_rows)
        return min(grown, LARGEST_BLOCK)

    def keys(self, hidden: Tensor) -> Tensor:
        """Return the keys of hidden states (n, d): shape (n, D)."""
        if self.key_features is not None:
            return self.key_features(hidden)
        if self.iterate.shape[0] == hidden.shape[1]:
            return hidden
        return torch.cat([hidden, hidden.new_ones(len(hidden), 1)], dim=1)

    def learn(self, head: LMHead, rows: HeadRows) -> NaturalPass:
        """Return the pass after one more block."""
        head, rows = self._sample_vocabulary(head, rows)
        started = self._take_step(head, rows) if self.count else self._start(head, rows)
        return started._propose(head, rows)

    def finish(self, head: LMHead, rows: HeadRows) -> NaturalPass:
        """Return the pass after its last rows, too few for a block.

        A pass shorter than one block is split in two, and each half chooses the other's step. The
        step that the last rows propose is as long as the one before.
        """
        if not self.count and len(rows) < 2:
            return self
        if not len(rows):
            return self._step(self.step)
        head, rows = self._sample_vocabulary(head, rows)
        if not self.count:
            return replace(self._start(head, rows), count=len(rows))
        enough = len(rows) >= PROBE_ROWS
        stepped = self._take_step(head, rows) if enough else self._step(self.step)
        proposed = stepped._propose(head, rows)
        return proposed._step(proposed.step)

    def _sample_vocabulary(self, head: LMHead, rows: HeadRows) -> tuple[LMHead, HeadRows]:
        """Return a head of the tokens that matter in a block, and rows with targets among them."""
        shifted = rows.hidden + self.keys(rows.hidden) @ self.iterate
        sampled = sample_vocabulary(head, shifted, rows.targets, seed=self.count)
        return sampled.head, replace(rows, targets=sampled.targets)

    def _start(self, head: LMHead, rows: HeadRows) -> NaturalPass:
        """Take a first step: the mean of two, each proposed by one half of the rows.

        The length of a half's step is chosen on the other half, so that neither is judged on rows
        that it learned.
        """
        half = len(rows) // 2
        mine, other = slice(half), slice(half, None)
        first, second = (
            self._propose(head, rows[learned])._take_step(head, rows[judged])
            for learned, judged in ((mine, other), (other, mine))
        )
        iterate = (first.iterate + second.iterate) / 2
        return replace(
            first,
            iterate=iterate,
            average=iterate,
            gram=torch.zeros_like(self.gram),
            curvature=torch.zeros_like(self.curvature),
            count=0,
            texts=0.0,
            step=0.0,
            scores=tuple(map(mean, zip(first.scores, second.scores, strict=True))),
            online_loss=first.online_loss + second.online_loss,
            online_rows=first.online_rows + second.online_rows,
        )

    def _propose(self, head: LMHead, rows: HeadRows) -> NaturalPass:
        """Add rows to the sums and propose a step.

        With keys k, gradients v, and G and S the mean key kᵀ and curvature of all N rows so far,
        the step is (G + λ ḡ I)⁻¹ (sum k vᵀ / N) (S + λ s̄ I)⁻¹, where ḡ and s̄ are mean eigenvalues.
        A Gaussian prior on A adds λ² ḡ s̄ I to G ⊗ S, with λ² the texts that it counts for by the
        texts so far; as here it is split between the factors (Martens & Grosse 2015, section 6.3).
        """
        keys = self.keys(rows.hidden)
        found = head.derivatives(rows.hidden + keys @ self.iterate, rows.targets)
        summed = replace(
            self,
            gram=self.gram + (keys.T @ keys).double(),
            curvature=self.curvature + found.curvature.double(),
            count=self.count + len(rows),
            last_rows=len(rows),
            texts=self.texts + float(rows.text_shares.sum(dtype=torch.float64)),
        )
        damping, count = summed._damping, summed.count
        left = _damped_solve(summed.gram / count, damping, (keys.T @ found.gradients).double())
        right = _damped_solve(summed.curvature / count, damping, left.T / count)
        return replace(summed, direction=right.T.float())

    @property
    def _damping(self) -> float:
        """λ of `_propose`."""
        return math.sqrt(PRIOR_STRENGTH * self.iterate.shape[1] ** 2 / self.texts)

    def _step(self, length: float) -> NaturalPass:
        """Take the proposed step with this length."""
        iterate = self.iterate + length * self.direction
        weight = min(1.0, LATE_WEIGHT * self.last_rows / self.count)
        average = torch.lerp(self.average, iterate, weight)
        return replace(self, iterate=iterate, average=average, step=length)

    def _take_step(self, head: LMHead, rows: HeadRows) -> NaturalPass:
        """Take the proposed step with the length that suits new rows best; score the answers."""
        n_probes = min(len(rows), max(PROBE_ROWS, len(rows) // 8))
        at = torch.linspace(0, len(rows) - 1, n_probes, device=rows.targets.device).long()
        hidden, targets = rows.hidden[at], rows.targets[at]
        keys = self.keys(hidden)
        start = hidden + keys @ self.iterate
        steps = [*STEPS, LONG_STEP] if self._damping < 1.0 else list(STEPS)
        losses = head.line_losses(start, keys @ self.direction, targets, steps)
        stepped = self._step(steps[losses.index(min(losses))])
        judged = self if bool(self.average.any()) else stepped  # the first step: no answer before
        now = head.line_losses(hidden, keys @ judged.average, targets, list(SHARES))
        return replace(
            stepped,
            scores=tuple(
                SCORE_DECAY * old + (1 - SCORE_DECAY) * new / n_probes
                for old, new in zip(self.scores, now, strict=True)
            ),
            online_loss=self.online_loss + now[self._best_score],
            online_rows=self.online_rows + n_probes,
        )

    @property
    def _best_score(self) -> int:
        """Index of the least of the scores; 0 is the frozen model."""
        return min(range(len(self.scores)), key=self.scores.__getitem__)


def _damped_solve(matrix: Tensor, damping: float, right: Tensor) -> Tensor:
    """Solve (matrix + damping · mean eigenvalue · I) x = right, float64."""
    damped = matrix.clone()
    damped.diagonal().add_(damping * matrix.diagonal().mean() + torch.finfo(torch.float64).tiny)
    return torch.cholesky_solve(right, torch.linalg.cholesky(damped))
