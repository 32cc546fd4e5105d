"""Pairs as exact moments, solved by the paper's pseudo-inverse.

Held-out blocks of the support: chosen by a hash of their tokens, so that order is no matter.

The output pseudo-inverse over exact moments, its settings chosen on held-out blocks.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from faast.core.moments import Moments
from faast.core.persistence import State
from faast.lm.batch import Lesson
from faast.lm.hooks import HEAD, LAST
from faast.lm.output_memory import interpolated
from faast.solvers import PseudoInverse
from faast.solvers.spectrum import Spectrum, spectrum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faast._utils.arrays import FloatArray
    from faast.lm.architecture import Backbone
    from faast.lm.batch import Pairs


@dataclass(frozen=True)
class ExactPairs:
    """Everything learned, as moments: any order and batching gives the same state.

    Attributes
    ----------
    moments : Moments
    alpha : float
        rtol = N**-alpha.
    """

    moments: Moments
    alpha: float

    @classmethod
    def empty(cls, alpha: float, key_scale: FloatArray, value_scale: FloatArray) -> ExactPairs:
        """Nothing learned; the grid's scales, one a column, are powers of two."""
        moments = Moments(len(key_scale), len(value_scale), key_scale, value_scale)
        return cls(moments, alpha)

    @property
    def count(self) -> float:
        """Pairs learned."""
        return self.moments.count

    @property
    def nbytes(self) -> int:
        """Bytes of the sums, which are 64-bit integers."""
        d, m = self.moments.n_features, self.moments.n_values
        return 8 * (d * d + d * m + d + 2 * m + 1)

    @cached_property
    def weights(self) -> Tensor:
        """W, shape (d, m), float32."""
        solved = PseudoInverse(self.alpha).solve(self.moments)
        return torch.from_numpy(solved.matrix).float()

    def learned(self, keys: Tensor, values: Tensor) -> ExactPairs:
        """Add pairs: keys (n, d), values (n, m)."""
        return ExactPairs(self.moments.copy().add(keys, values), self.alpha)

    def forgotten(self, keys: Tensor, values: Tensor) -> ExactPairs:
        """Take pairs back.

        Raises
        ------
        ValueError
            They cannot all have been learned.
        """
        return ExactPairs(self.moments.copy().subtract(keys, values), self.alpha)

    def merged(self, other: ExactPairs) -> ExactPairs:
        """Add everything another memory has learned."""
        return ExactPairs(self.moments + other.moments, self.alpha)


BLOCK = 16
CAPACITY = 128
SHARE = 0.2
"""Largest share of the support that is held out while settings are chosen."""


@dataclass(frozen=True)
class HeldBlock:
    """Up to `BLOCK` consecutive pairs of one sequence.

    Attributes
    ----------
    rank : int
        Hash of the tokens; the blocks of lowest rank are kept.
    keys : Tensor of shape (n, d)
    targets : Tensor of shape (n,)
    """

    rank: int
    keys: Tensor
    targets: Tensor


@dataclass(frozen=True)
class HeldOut:
    """The blocks of lowest rank among everything learned, sorted by rank."""

    blocks: tuple[HeldBlock, ...] = ()

    def learned(self, pairs: Pairs, input_ids: Tensor, keys: Tensor) -> HeldOut:
        """Take in a batch: its pairs, its tokens (batch, length) and its keys (n, d)."""
        lowest = sorted(cut(pairs, input_ids), key=lambda block: block[0])[:CAPACITY]
        fresh = [
            HeldBlock(rank, keys[at].float().cpu().clone(), pairs.targets[at].cpu().clone())
            for rank, at in lowest
        ]
        return self._lowest([*self.blocks, *fresh])

    def forgotten(self, pairs: Pairs, input_ids: Tensor) -> HeldOut:
        """Drop the blocks of a batch."""
        left = list(self.blocks)
        for rank, _ in cut(pairs, input_ids):
            at = next((i for i, block in enumerate(left) if block.rank == rank), None)
            if at is not None:
                del left[at]
        return HeldOut(tuple(left))

    def merged(self, other: HeldOut) -> HeldOut:
        """Take in what another memory holds."""
        return self._lowest([*self.blocks, *other.blocks])

    def sample(self, count: float) -> tuple[Tensor, Tensor] | None:
        """Keys and targets to choose settings on: at most a share of `count` pairs, or None."""
        chosen: list[HeldBlock] = []
        n_rows = 0
        for block in self.blocks:
            n_rows += len(block.keys)
            if n_rows > SHARE * count:
                break
            chosen.append(block)
        if not chosen:
            return None
        return (
            torch.cat([block.keys for block in chosen]),
            torch.cat([block.targets for block in chosen]),
        )

    def to_state(self) -> State:
        """Return what a file keeps."""
        if not self.blocks:
            return State({}, {"ranks": [], "sizes": []})
        return State(
            {
                "keys": torch.cat([block.keys for block in self.blocks]).numpy(),
                "targets": torch.cat([block.targets for block in self.blocks]).numpy(),
            },
            {
                "ranks": [block.rank for block in self.blocks],
                "sizes": [len(block.keys) for block in self.blocks],
            },
        )

    @classmethod
    def from_state(cls, state: State) -> HeldOut:
        """Restore what `to_state` returned."""
        if not state.metadata["ranks"]:
            return cls()
        sizes = state.metadata["sizes"]
        keys = torch.from_numpy(state.tensors["keys"]).split(sizes)  # type: ignore[no-untyped-call]
        targets = torch.from_numpy(state.tensors["targets"]).split(sizes)  # type: ignore[no-untyped-call]
        ranks = state.metadata["ranks"]
        return cls(tuple(map(HeldBlock, ranks, keys, targets)))

    @staticmethod
    def _lowest(blocks: list[HeldBlock]) -> HeldOut:
        return HeldOut(tuple(sorted(blocks, key=lambda block: block.rank)[:CAPACITY]))


def cut(pairs: Pairs, input_ids: Tensor) -> Iterator[tuple[int, slice]]:
    """Cut each sequence's pairs into blocks: the hash of the tokens so far, and which pairs."""
    start = 0
    for row, taught in zip(input_ids.cpu().numpy(), pairs.taught.cpu().numpy(), strict=True):
        positions = np.flatnonzero(taught)
        digest = hashlib.blake2b(digest_size=6)
        for first in range(0, len(positions), BLOCK):
            here = positions[first : first + BLOCK]
            digest.update(row[here[0] : here[-1] + 2].astype(np.int64).tobytes())
            rank = int.from_bytes(digest.copy().digest(), "big")
            yield rank, slice(start + first, start + first + len(here))
        start += len(positions)


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
        return State.join({"moments": self.pairs.moments.to_state(), "held": self.held.to_state()})

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
