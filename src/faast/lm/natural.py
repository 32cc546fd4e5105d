"""The natural output memory: one pass of the likelihood's gradient, scaled by its curvature."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from faast.lm.head import OutputHead
    from faast.lm.key_lift import KeyLift

FIRST_BLOCK = 512
LARGEST_BLOCK = 4096
GROWTH = 1.2
STEPS = (0.0, 0.0625, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Steps that the line search compares, in units of the step before."""
LARGEST_STEP = 2.0
PROBE_ROWS = 256
KEY_DAMPING = 0.1
CURVATURE_DAMPING = 0.01
PRIOR_ROWS = 512
"""Rows that the frozen model counts for: a short pass moves it by part of the way only."""
AVERAGE_POWER = 1.0
MEMORY_OF_SCORES = 0.7
"""Factor on the older scores, when average and frozen model are compared."""


class Shift(NamedTuple):
    """What a linear output memory adds: h + h matrix + bias.

    Attributes
    ----------
    matrix : Tensor of shape (d, d)
    bias : Tensor of shape (d,)
    """

    matrix: Tensor
    bias: Tensor


@dataclass(frozen=True)
class NaturalState:
    """A pass over rows, as far as it has come; a block makes a new one of it.

    Attributes
    ----------
    iterate, average : Tensor of shape (D, d), float32
        A and its average over the pass. D is d, d + 1 where keys are [h; 1], more where lifted.
    direction : Tensor of shape (D, d)
        Newton step of the last block, its length not yet chosen.
    step : float
        Length of the last step that a line search chose; the next one's unit.
    gram : Tensor of shape (D, D), float64
        Sum of key keyᵀ.
    curvature : Tensor of shape (d, d), float64
        Sum of the rows' output curvature.
    count, last_rows : int
        Rows in the sums; rows of the last block.
    average_weight : float
    scores : tuple of two floats
        Decayed mean losses, before learning, of the frozen model and of the average.
    online_loss, online_rows : float, int
        Loss, before learning, of the rows that probed the blocks, summed; their number.
    lift : KeyLift or None
        Makes the keys, where they are not [h] or [h; 1].
    """

    iterate: Tensor
    average: Tensor
    direction: Tensor
    gram: Tensor
    curvature: Tensor
    step: float = 1.0
    count: int = 0
    last_rows: int = 0
    average_weight: float = 0.0
    scores: tuple[float, ...] = (0.0, 0.0)
    online_loss: float = 0.0
    online_rows: int = 0
    lift: KeyLift | None = None

    @classmethod
    def empty(
        cls,
        n_keys: int,
        n_outputs: int,
        device: torch.device | str = "cpu",
        lift: KeyLift | None = None,
    ) -> NaturalState:
        """Nothing learned: keys of width `n_keys`, outputs of width `n_outputs`."""
        weights = torch.zeros(n_keys, n_outputs, device=device)
        return cls(
            weights,
            weights,
            weights,
            torch.zeros(n_keys, n_keys, dtype=torch.float64, device=device),
            torch.zeros(n_outputs, n_outputs, dtype=torch.float64, device=device),
            lift=lift,
        )

    @property
    def pending(self) -> Tensor:
        """The iterate once the last direction is taken, with the step before."""
        return self.iterate + self.step * self.direction

    @property
    def chosen(self) -> Tensor:
        """The average, or the frozen model (zeros) where that predicted the latest blocks better.

        Shape (D, d); N / (N + prior rows) of it after N rows. Neighbouring blocks tend to be of one
        document, which favours the last iterate on the next block but not on later text: it is no
        candidate.
        """
        frozen, learned = self.scores
        share = self.count / (self.count + PRIOR_ROWS) if learned < frozen else 0.0
        return share * self._average(self.pending)

    @property
    def online_perplexity(self) -> float:
        """Perplexity of rows at the time they had not been learned; NaN before a second block."""
        return math.exp(self.online_loss / self.online_rows) if self.online_rows else math.nan

    def next_block(self, largest: int = LARGEST_BLOCK) -> int:
        """Rows of the next block: a growing share of the pass, so that early blocks act soon."""
        grown = FIRST_BLOCK if not self.last_rows else int(GROWTH * self.last_rows)
        return min(grown, largest)

    def learned(self, head: OutputHead, rows: Tensor, targets: Tensor) -> NaturalState:
        """Learn one block.

        Parameters
        ----------
        head : OutputHead
        rows : Tensor of shape (n, d)
            Hidden states as the frozen model feeds them to the head.
        targets : Tensor of shape (n,)
            The tokens to predict.

        Notes
        -----
        First the direction of the block before is taken, its length by line search on this block
        (0 among the candidates). Then, with keys k, G = sum k kᵀ, gradient v and curvature S, this
        block's direction is (G/N + λ I)⁻¹ mean(k vᵀ) (S/N + μ I)⁻¹.
        """
        if self.count:
            return self._searched(head, rows, targets)._differentiated(head, rows, targets)
        return self._started(head, rows, targets)._differentiated(head, rows, targets)

    def finished(self, head: OutputHead, rows: Tensor, targets: Tensor) -> NaturalState:
        """Learn what is left at the end of a pass, so that the latest rows take effect.

        The last direction takes the step that was chosen before, in proportion to its rows. A pass
        shorter than one block is split in two, and each half chooses the other's step.
        """
        if not len(rows) or (not self.count and len(rows) == 1):
            return self
        if not self.count:
            return replace(self._started(head, rows, targets), count=len(rows))
        state = self._searched(head, rows, targets) if len(rows) >= PROBE_ROWS else self._stepped()
        share = min(1.0, len(rows) / self.last_rows)
        state = state._differentiated(head, rows, targets)
        return replace(state, direction=share * state.direction)

    def keys(self, rows: Tensor) -> Tensor:
        """Keys of rows: h, [h; 1], or the lift of h."""
        if self.lift is not None:
            return self.lift(rows)
        if self.iterate.shape[0] == rows.shape[1]:
            return rows
        return torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)

    def _started(self, head: OutputHead, rows: Tensor, targets: Tensor) -> NaturalState:
        """Learn the first rows: the mean of two steps, each found on one half of the rows.

        The length of a half's step is chosen on the other half, so that neither is judged on rows
        that it learned.
        """
        half = len(rows) // 2
        parts = (rows[:half], targets[:half]), (rows[half:], targets[half:])
        first, second = (
            self._differentiated(head, *mine)._searched(head, *other)
            for mine, other in (parts, parts[::-1])
        )
        iterate = (first.iterate + second.iterate) / 2
        return replace(
            first,
            iterate=iterate,
            average=iterate,
            gram=torch.zeros_like(self.gram),
            curvature=torch.zeros_like(self.curvature),
            count=0,
            step=(first.step + second.step) / 2,
            scores=tuple(map(mean, zip(first.scores, second.scores, strict=True))),
            online_loss=first.online_loss + second.online_loss,
            online_rows=first.online_rows + second.online_rows,
        )

    def _differentiated(self, head: OutputHead, rows: Tensor, targets: Tensor) -> NaturalState:
        """Add rows to the sums, and point the direction along their scaled gradient."""
        rows = rows.float()
        keys = self.keys(rows)
        found = head.statistics(rows + keys @ self.iterate, targets)
        count = self.count + len(rows)
        gram = self.gram + (keys.T @ keys).double()
        curvature = self.curvature + found.curvature.double()
        cross = (keys.T @ found.gradients).double() / len(rows)
        few = 1.0 + len(gram) / count  # too few rows to know the keys' second moments
        left = _damped_solve(gram / count, KEY_DAMPING * few, cross)
        direction = _damped_solve(curvature / count, CURVATURE_DAMPING, left.T).T
        return replace(
            self,
            direction=direction.float(),
            gram=gram,
            curvature=curvature,
            count=count,
            last_rows=len(rows),
        )

    def _searched(self, head: OutputHead, rows: Tensor, targets: Tensor) -> NaturalState:
        """Take the last direction with the step that suits new rows best, and keep score."""
        n_probes = min(len(rows), max(PROBE_ROWS, len(rows) // 8))
        at = torch.linspace(0, len(rows) - 1, n_probes, device=rows.device).long()
        rows, targets = rows[at].float(), targets[at]
        keys = self.keys(rows)
        steps = [min(factor * self.step, LARGEST_STEP) for factor in STEPS]
        losses = head.line_losses(rows + keys @ self.iterate, keys @ self.direction, targets, steps)
        best = min(range(len(steps)), key=losses.__getitem__)
        frozen = head.loss(rows, targets)
        if self.average_weight:
            learned = head.loss(rows + keys @ self._average(self.pending), targets)
        else:  # no step has been chosen before: the first is judged as chosen here
            learned = losses[best]
        now = (frozen, learned)
        told = now[self.scores[1] < self.scores[0]]
        return replace(
            self._stepped(steps[best]),
            step=steps[best] or self.step / 16,
            scores=tuple(
                MEMORY_OF_SCORES * old + (1 - MEMORY_OF_SCORES) * new / n_probes
                for old, new in zip(self.scores, now, strict=True)
            ),
            online_loss=self.online_loss + told,
            online_rows=self.online_rows + n_probes,
        )

    def _stepped(self, step: float | None = None) -> NaturalState:
        """Take the last direction, by default with the step before."""
        iterate = self.iterate + (self.step if step is None else step) * self.direction
        return replace(
            self,
            iterate=iterate,
            average=self._average(iterate),
            average_weight=self.average_weight + self._block_weight,
            direction=torch.zeros_like(self.direction),
        )

    @property
    def _block_weight(self) -> float:
        return float(self.last_rows * self.count**AVERAGE_POWER)

    def _average(self, iterate: Tensor) -> Tensor:
        """Average with one more iterate; later ones count more, by rows seen to a power."""
        weight = self._block_weight
        return torch.lerp(self.average, iterate, weight / max(self.average_weight + weight, 1.0))


def _damped_solve(matrix: Tensor, damping: float, right: Tensor) -> Tensor:
    """Solve (matrix + damping · mean eigenvalue · I) x = right, float64."""
    damped = matrix.clone()
    damped.diagonal().add_(damping * matrix.diagonal().mean() + torch.finfo(torch.float64).tiny)
    return torch.cholesky_solve(right, torch.linalg.cholesky(damped))
