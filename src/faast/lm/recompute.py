"""Activation checkpointing of a frozen decoder's blocks, which stay in eval mode."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import nn


@contextmanager
def recomputed(blocks: Iterable[nn.Module]) -> Iterator[None]:
    """Keep only the inputs of blocks in forward passes inside; backward runs the blocks again.

    Notes
    -----
    The checkpointing of transformers acts on blocks in training mode alone. What memories read in
    front of a block lies outside of what is run again.
    """
    replaced = [(block, vars(block).get("forward")) for block in blocks]
    for block, _ in replaced:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    try:
        yield
    finally:
        for block, own in replaced:
            del block.forward
            if own is not None:
                block.forward = own
