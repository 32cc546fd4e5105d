"""Validation pairs out of everything learned, on which settings of an exact memory are chosen.

Documents are cut into blocks of consecutive pairs. The sample holds every learned block whose hash
is below a threshold, which falls as more is learned. So the sample does not depend
on the order of learning, two samples can be merged, a batch that is forgotten leaves it, and a
batch that was never learned is told by the blocks that the sample would hold.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from faast.core.state import Array, Range
from faast.lm.exceptions import NOT_LEARNED, ForgettingError
from faast.lm.state import LearnedState, checked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from faast.lm.batch import Document, TrainingBatch

BLOCK_PAIRS = 16
MAX_BLOCKS = 128
HASH_BYTES = 6
ALL_HASHES = 2 ** (8 * HASH_BYTES)
LARGEST_SHARE = 0.2
"""Largest share of all pairs that is held out while settings are chosen."""
MAX_DRAWN = 512
"""Largest number of pairs that is held out; the others take the places of forgotten ones."""


class HeldOutPairs(NamedTuple):
    """Pairs to choose settings on.

    Attributes
    ----------
    keys : Tensor of shape (n, d), float32
    targets : Tensor of shape (n,), int64
    """

    keys: Tensor
    targets: Tensor


@dataclass(frozen=True)
class ValidationSample(LearnedState):
    """The blocks with a hash below a threshold among everything learned, in the order of hashes.

    Attributes
    ----------
    hashes, sizes : Tensor of shape (b,), int64
        Hash and number of pairs of each block.
    keys : Tensor of shape (n, d), float32
        Keys of all pairs, block after block.
    targets : Tensor of shape (n,), int64
        The tokens that follow.
    threshold : int
        Every learned block with a lower hash is held.
    """

    hashes: Tensor = field(metadata=checked(Array("b", dtypes=("int64",), minimum=0)))
    sizes: Tensor = field(metadata=checked(Array("b", dtypes=("int64",), minimum=1)))
    keys: Tensor = field(metadata=checked(Array("n", "d", dtypes=("float32",))))
    targets: Tensor = field(metadata=checked(Array("n", dtypes=("int64",), minimum=0)))
    threshold: int = field(default=ALL_HASHES, metadata=checked(Range(0, ALL_HASHES)))

    def validate(self, empty: ValidationSample) -> None:
        """Raise ValueError where this is not a sample of blocks of lowest hash."""
        del empty
        if len(self.hashes) > MAX_BLOCKS or bool((self.sizes > BLOCK_PAIRS).any()):
            raise ValueError(f"a sample has at most {MAX_BLOCKS} blocks of {BLOCK_PAIRS} pairs")
        if int(self.sizes.sum()) != len(self.keys):
            raise ValueError(f"blocks of {self.sizes.tolist()} pairs hold {len(self.keys)} keys")
        if bool((self.hashes.diff() < 0).any()) or bool((self.hashes >= self.threshold).any()):
            raise ValueError("the hashes of blocks are not in order, or not below the threshold")

    @classmethod
    def empty(cls, width: int) -> ValidationSample:
        """Return the sample of no pairs, whose keys have `width` columns."""
        none = torch.empty(0, dtype=torch.long)
        return cls(none, none, torch.empty(0, width), none)

    def learn(self, batch: TrainingBatch, keys: Tensor) -> ValidationSample:
        """Return the sample after learning a batch, with the keys of its pairs (n, d)."""
        blocks = [block for block in _cut(batch.documents()) if block.hash < self.threshold]
        if not blocks:
            return self  # spares a copy of all keys, for many batches once the sample is full
        rows = torch.cat([torch.arange(b.start, b.start + b.size) for b in blocks])
        found = ValidationSample(
            torch.tensor([block.hash for block in blocks]),
            torch.tensor([block.size for block in blocks]),
            keys[rows.to(keys.device)].float().cpu(),
            batch.pairs.targets.cpu().long()[rows],
        )
        return self.merge(found)

    def forget(self, batch: TrainingBatch) -> ValidationSample:
        """Return the sample without the blocks of a batch.

        Raises
        ------
        ForgettingError
            A block of the batch was never learned, or not so often: the sample would hold it.
        """
        forgotten = Counter(block.hash for block in _cut(batch.documents()))
        kept = []
        for index, number in enumerate(self.hashes.tolist()):
            if forgotten[number]:
                forgotten[number] -= 1
            else:
                kept.append(index)
        if any(number < self.threshold for number in forgotten.elements()):
            raise ForgettingError(NOT_LEARNED)
        return self._select(kept)

    def merge(self, other: ValidationSample) -> ValidationSample:
        """Return the sample of what both have learned."""
        both = ValidationSample(
            torch.cat([self.hashes, other.hashes]),
            torch.cat([self.sizes, other.sizes]),
            torch.cat([self.keys, other.keys]),
            torch.cat([self.targets, other.targets]),
            min(self.threshold, other.threshold),
        )
        hashes, order = both.hashes.sort(stable=True)
        if len(hashes) > MAX_BLOCKS:
            both = replace(both, threshold=min(both.threshold, int(hashes[MAX_BLOCKS])))
        return both._select(order[hashes < both.threshold])

    def draw(self, count: float) -> HeldOutPairs | None:
        """Return the first pairs, at most `LARGEST_SHARE` of `count`; None if there are none."""
        most = min(LARGEST_SHARE * count, MAX_DRAWN)
        n_blocks = int((self.sizes.cumsum(0) <= most).sum())
        if not n_blocks:
            return None
        n_pairs = int(self.sizes[:n_blocks].sum())
        return HeldOutPairs(self.keys[:n_pairs], self.targets[:n_pairs])

    def _select(self, blocks: Sequence[int] | Tensor) -> ValidationSample:
        """Return the sample of some blocks, in the order given."""
        chosen = torch.as_tensor(blocks, dtype=torch.long)
        sizes = self.sizes[chosen]
        moved = _starts(self.sizes)[chosen] - _starts(sizes)
        rows = torch.arange(int(sizes.sum())) + moved.repeat_interleave(sizes)
        return ValidationSample(
            self.hashes[chosen], sizes, self.keys[rows], self.targets[rows], self.threshold
        )


class _Block(NamedTuple):
    """Up to `BLOCK_PAIRS` consecutive pairs of a document: pairs start .. start + size."""

    hash: int
    start: int
    size: int


def _cut(documents: Iterable[Document]) -> Iterator[_Block]:
    """Cut what is learned of each document into blocks.

    The hash of a block is of the whole document, so that blocks of one hash hold the same numbers:
    hidden states round differently in a document of another length.
    """
    start = 0
    for document in documents:
        n_pairs = int(document.answers.sum())
        digest = hashlib.blake2b(digest_size=HASH_BYTES)
        for part in document:
            digest.update(part.numpy().tobytes())
        for first in range(0, n_pairs, BLOCK_PAIRS):
            digest.update(first.to_bytes(8, "big"))
            number = int.from_bytes(digest.copy().digest(), "big")
            yield _Block(number, start + first, min(BLOCK_PAIRS, n_pairs - first))
        start += n_pairs


def _starts(sizes: Tensor) -> Tensor:
    """Return the first row of each block."""
    return sizes.cumsum(0) - sizes
