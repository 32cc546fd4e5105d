"""Held-out blocks of the support: chosen by a hash of their tokens, so that order is no matter."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from faast.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faast.lm.pairs import Pairs

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
