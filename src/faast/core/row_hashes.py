"""Hashes of rows, and the threshold below which rows are sampled."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray
from faast._utils.hashing import hash64


class Threshold(NamedTuple):
    """A row is sampled while (hash, second hash) of its key is below this pair.

    Attributes
    ----------
    hash, second : int
    """

    hash: int
    second: int


NO_THRESHOLD = Threshold(2**64 - 1, 0)
"""Above every hash, so that every row is sampled."""


def hash_rows(keys: AnyArray) -> AnyArray:
    """Hash the float64 bits of each row to uint64, the same in any batch.

    The entries' bit patterns are multiplied by fixed odd numbers and summed modulo 2**64; the sum
    is mixed by `hash64`.
    """
    bits = (np.ascontiguousarray(keys, dtype=np.float64) + 0.0).view(np.uint64)  # -0.0 is 0.0
    factors = hash64(np.arange(keys.shape[1], dtype=np.uint64)) | np.uint64(1)
    return hash64(bits @ factors) >> np.uint64(1)


def second_hashes(keys: AnyArray) -> AnyArray:
    """Hash rows cryptographically, so that rows of equal hash are hard to construct."""
    content = np.ascontiguousarray(keys, dtype=np.float64) + 0.0
    digests = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in content]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
