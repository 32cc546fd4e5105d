"""A lift of what feeds the head: products of random projections, for memories that do not fold.

The natural output memory: one pass of the likelihood's gradient, scaled by its curvature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import mean
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from faast.core.random_features import most_shifts, projections, signs
from faast.lm.exceptions import UnsupportedModelError

if TYPE_CHECKING:
    from faast.lm.lm_head import OutputHead


FEATURE_SCALE = 0.1
"""Of products against the row's own coordinates: damping is in units of the mean over both.

Of 0.01, 0.03, 0.1 and 0.3 the best on held-out ends of what was learned.
"""


class KeyLift:
    """Keys [h; 1; φ(h)], with the fixed signs of `faast.core.random_features`.

    With z = S h / |h|, a projection on signs, φ_jk = s |h|/√d z_j z_(j+k): a random sketch of the
    kernel of degree 2, of the size of h whatever the model's norm.

    Parameters
    ----------
    width : int
        d.
    device : torch.device or str

    Attributes
    ----------
    n_keys : int
        Columns of a key.

    Raises
    ------
    UnsupportedModelError
        Rows too wide to be lifted.
    """

    def __init__(self, width: int, device: torch.device | str = "cpu") -> None:
        self._n_shifts = most_shifts(width)
        if not self._n_shifts:
            raise UnsupportedModelError(
                f"rows of {width} numbers are too wide to be lifted; use lift=False"
            )
        n_projections = projections(width)
        self._signs = torch.from_numpy(signs(width, n_projections)).float().to(device)
        self.n_keys = width + 1 + self._n_shifts * n_projections

    def __call__(self, rows: Tensor) -> Tensor:
        """Lift rows (..., d), float32, to keys (..., n_keys)."""
        norm = rows.norm(dim=-1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)
        z = (rows / norm) @ self._signs.to(rows.device)
        size = FEATURE_SCALE * norm / rows.shape[-1] ** 0.5
        shifts = range(1, self._n_shifts + 1)
        products = [size * z * z.roll(-shift, dims=-1) for shift in shifts]
        return torch.cat([rows, torch.ones_like(norm), *products], dim=-1)


FIRST_BLOCK = 512
LARGEST_BLOCK = 2048
GROWTH = 1.2
STEPS = (0.0, 0.0625, 0.25, 0.5, 1.0, 2.0)
"""Steps that the line search compares, in units of the step before."""
LARGEST_STEP = 2.0
PROBE_ROWS = 256
NEWTON_SHARES = (0.0, 0.25, 0.5, 1.0)
"""Shares of the mean Newton step that may be added to the average iterate."""
KEY_DAMPING = 0.3
CURVATURE_DAMPING = 0.1
PRIOR_ROWS = 512
"""Rows that the frozen model counts for: a short pass moves it by part of the way only."""
MEMORY_OF_SCORES = 0.7
"""Factor on the older scores, when what could be chosen is compared."""


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
        A, and its mean over the rows. D is d, d + 1 where keys are [h; 1], more where lifted.
    direction, newton : Tensor of shape (D, d)
        Newton step of the last block, its length not yet chosen, and its mean over the rows.
    step : float
        Length of the last step that a line search chose; the next one's unit.
    gram : Tensor of shape (D, D), float64
        Sum of key keyᵀ.
    curvature : Tensor of shape (d, d), float64
        Sum of the rows' output curvature.
    count, last_rows : int
        Rows in the sums; rows of the last block.
    scores : tuple of floats
        Decayed mean losses, before learning, of the frozen model and with each of `NEWTON_SHARES`.
    online_loss, online_rows : float, int
        Loss, before learning, of the rows that probed the blocks, summed; their number.
    lift : KeyLift or None
        Makes the keys, where they are not [h] or [h; 1].
    """

    iterate: Tensor
    average: Tensor
    direction: Tensor
    newton: Tensor
    gram: Tensor
    curvature: Tensor
    step: float = 1.0
    count: int = 0
    last_rows: int = 0
    scores: tuple[float, ...] = (0.0,) * (1 + len(NEWTON_SHARES))
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
            *(weights,) * 4,
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
        """The average with a share of the Newton step, or zeros: the best on the latest rows.

        Shape (D, d); N / (N + prior rows) of it after N rows.

        Notes
        -----
        Each block's likelihood is a parabola around its iterate, its top a Newton step away; with
        one curvature for all, the top of their sum is the mean of the tops. Short passes know the
        curvature and the gradients too badly for whole steps: hence the shares. The last iterate is
        no candidate: neighbouring blocks tend to be of one document, which favours it on the next
        block but not on later text.
        """
        best = self._best
        if not best:
            return torch.zeros_like(self.average)
        learned = torch.add(self.average, self.newton, alpha=NEWTON_SHARES[best - 1])
        return self.count / (self.count + PRIOR_ROWS) * learned

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

        A pass shorter than one block is split in two, and each half chooses the other's step.
        """
        if not len(rows) or (not self.count and len(rows) == 1):
            return self
        if not self.count:
            return replace(self._started(head, rows, targets), count=len(rows))
        long = len(rows) >= PROBE_ROWS
        state = self._searched(head, rows, targets) if long else replace(self, iterate=self.pending)
        return state._differentiated(head, rows, targets)

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
            newton=self.newton,
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
        direction = _damped_solve(curvature / count, CURVATURE_DAMPING, left.T).T.float()
        weight = len(rows) / count
        return replace(
            self,
            average=torch.lerp(self.average, self.iterate, weight),
            direction=direction,
            newton=torch.lerp(self.newton, direction, weight),
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
        if bool(self.average.any()):
            start, ahead = rows + keys @ self.average, keys @ self.newton
            learned = head.line_losses(start, ahead, targets, list(NEWTON_SHARES))
        else:  # no step has been chosen before: the first is judged as chosen here
            learned = [losses[best]] * len(NEWTON_SHARES)
        now = [head.loss(rows, targets), *learned]
        return replace(
            self,
            iterate=self.iterate + steps[best] * self.direction,
            step=steps[best] or self.step / 16,
            scores=tuple(
                MEMORY_OF_SCORES * old + (1 - MEMORY_OF_SCORES) * new / n_probes
                for old, new in zip(self.scores, now, strict=True)
            ),
            online_loss=self.online_loss + now[self._best],
            online_rows=self.online_rows + n_probes,
        )

    @property
    def _best(self) -> int:
        """Which of the scores is least."""
        return min(range(len(self.scores)), key=self.scores.__getitem__)


def _damped_solve(matrix: Tensor, damping: float, right: Tensor) -> Tensor:
    """Solve (matrix + damping · mean eigenvalue · I) x = right, float64."""
    damped = matrix.clone()
    damped.diagonal().add_(damping * matrix.diagonal().mean() + torch.finfo(torch.float64).tiny)
    return torch.cholesky_solve(right, torch.linalg.cholesky(damped))
