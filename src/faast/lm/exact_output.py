"""The output pseudo-inverse over exact moments, its settings chosen on held-out blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from faast.lm.attachment import HEAD, LAST
from faast.lm.holdout import HeldOut
from faast.lm.outputs import Lesson, interpolated
from faast.moments import Moments
from faast.solvers.spectrum import Spectrum, spectrum
from faast.state import State

if TYPE_CHECKING:
    from faast.lm.backbone import Backbone
    from faast.lm.exact import ExactPairs

ALPHAS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
INTERPOLATIONS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
CHECKED_ROWS = 8


class Chosen(NamedTuple):
    """W of shape (d, d) and the share r of its read."""

    weights: Tensor
    interpolation: float


@dataclass(frozen=True)
class ExactOutput:
    """h (1 - r) + (h W) r before the final norm, W from everything learned at once.

    Attributes
    ----------
    pairs : ExactPairs
        Keys h at t, values the input embeddings of token t + 1.
    held : HeldOut
        Rows among them that settings are chosen on; final weights learn them too.
    alpha, interpolation : float or None
        None: chosen.
    """

    pairs: ExactPairs
    held: HeldOut
    backbone: Backbone
    alpha: float | None
    interpolation: float | None
    place = LAST

    @property
    def count(self) -> float:
        """Pairs learned."""
        return self.pairs.count

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.pairs.nbytes + sum(block.keys.nbytes for block in self.held.blocks)

    @cached_property
    def chosen(self) -> Chosen:
        """Weights and interpolation of least loss on the held-out rows.

        Notes
        -----
        Candidates are solved from the moments without the held-out rows. r = 0, the frozen model,
        is always among them; where the support is too short to hold anything out it is the choice.
        """
        alphas = ALPHAS if self.alpha is None else (self.alpha,)
        shares = INTERPOLATIONS if self.interpolation is None else (self.interpolation,)
        alpha, share = alphas[-1], shares[0]
        if len(alphas) > 1 or len(shares) > 1:
            sample = self.held.sample(self.count)
            if sample is not None:
                alpha, share = self._best(*sample, alphas, shares)
        solved = filtered(spectrum(self.pairs.moments, None, centred=False), alpha)
        return Chosen(solved.to(self.backbone.device), share)

    def read(self, hidden: Tensor) -> Tensor:
        """Interpolate hidden states with what the memory says; a no-op while it is empty."""
        if not self.count or not self.chosen.interpolation:
            return hidden
        return interpolated(hidden, *self.chosen)

    def learned(self, lesson: Lesson) -> ExactOutput:
        """Add a lesson's pairs to the moments."""
        last, fed = lesson.states[LAST], lesson.states[HEAD]
        if self.alpha is None or self.interpolation is None:
            self.backbone.require_known_feed(last[:1, :CHECKED_ROWS], fed[:1, :CHECKED_ROWS])
        keys = lesson.pairs.keys(last)
        values = self.backbone.token_values(lesson.pairs.targets)
        return replace(
            self,
            pairs=self.pairs.learned(keys, values),
            held=self.held.learned(lesson.pairs, lesson.input_ids, keys),
        )

    def forgotten(self, lesson: Lesson) -> ExactOutput:
        """Take a lesson's pairs back."""
        keys = lesson.pairs.keys(lesson.states[LAST])
        values = self.backbone.token_values(lesson.pairs.targets)
        return replace(
            self,
            pairs=self.pairs.forgotten(keys, values),
            held=self.held.forgotten(lesson.pairs, lesson.input_ids),
        )

    def merged(self, other: ExactOutput) -> ExactOutput:
        """Add everything another memory has learned."""
        return replace(
            self, pairs=self.pairs.merged(other.pairs), held=self.held.merged(other.held)
        )

    def to_state(self) -> State:
        """Return what a file keeps."""
        return State.joined(
            {"moments": self.pairs.moments.to_state(), "held": self.held.to_state()}
        )

    def from_state(self, state: State) -> ExactOutput:
        """Restore what `to_state` returned."""
        moments = Moments.from_state(state.part("moments"))
        return replace(
            self,
            pairs=replace(self.pairs, moments=moments),
            held=HeldOut.from_state(state.part("held")),
        )

    def _best(
        self, keys: Tensor, targets: Tensor, alphas: tuple[float, ...], shares: tuple[float, ...]
    ) -> tuple[float, float]:
        feed, head = self.backbone.feed, self.backbone.head
        keys, targets = keys.to(head.weight.device), targets.to(head.weight.device)
        values = self.backbone.token_values(targets)
        without = self.pairs.moments.copy().subtract(keys, values)
        decomposed = spectrum(without, None, centred=False)
        losses: dict[tuple[float, float], float] = {}
        with torch.no_grad():
            for alpha in alphas:
                read = keys @ filtered(decomposed, alpha).to(keys.device)
                for share in shares:
                    mixed = torch.lerp(keys, read, share).to(head.weight.dtype)
                    losses[alpha, share] = head.loss(feed(mixed), targets)
        return min(losses, key=losses.__getitem__)


def filtered(decomposed: Spectrum, alpha: float) -> Tensor:
    """W of the pseudo-inverse with rtol = N**-alpha, shape (d, m), float32."""
    w = decomposed.eigenvalues
    rtol = max(decomposed.count, 1.0) ** -alpha
    kept = max(int(np.count_nonzero(w > w[:1].sum() * rtol**2)), min(1, len(w)))
    gains = np.where(np.arange(len(w)) < kept, 1.0 / w, 0.0)
    return torch.from_numpy(decomposed.weights(gains, kept).matrix).float()
