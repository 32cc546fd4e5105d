"""Shuffle the rows of a stream through a bounded buffer, and keep a uniform sample of them.

Both choose rows by hashing their number in the stream. As there is no state of a random generator,
a stream that is saved and loaded continues exactly as if it had not been.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Annotated

import numpy as np

from faast._utils.arrays import AnyArray, IntArray
from faast._utils.hashing import bottom_k, hash64
from faast.core.state import Array, Stored


@dataclass(frozen=True, eq=False)
class Examples(Stored):
    """Labelled rows of a stream.

    Attributes
    ----------
    keys : ndarray of shape (n, d), float32
    codes : ndarray of shape (n,), int64
        Index of the class.
    weights : ndarray of shape (n,), float32
    numbers : ndarray of shape (n,), int64
        Position of the row in the stream.
    """

    keys: Annotated[AnyArray, Array("n", "d", dtypes=("float32",))]
    codes: Annotated[IntArray, Array("n", dtypes=("int64",), minimum=0)]
    weights: Annotated[AnyArray, Array("n", dtypes=("float32",), minimum=0)]
    numbers: Annotated[IntArray, Array("n", dtypes=("int64",), minimum=0)]

    @classmethod
    def empty(cls, width: int) -> Examples:
        """Return no rows."""
        whole = np.zeros(0, dtype=np.int64)
        return cls(np.zeros((0, width), np.float32), whole, np.zeros(0, np.float32), whole)

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, chosen: AnyArray | slice) -> Examples:
        """Return some of the rows."""
        return Examples(*(field[chosen] for field in self._fields()))

    def append(self, other: Examples) -> Examples:
        """Return these rows, then the others."""
        pairs = zip(self._fields(), other._fields(), strict=True)
        return Examples(*(np.concatenate(pair) for pair in pairs))

    def recode(self, columns: IntArray) -> Examples:
        """Return the rows with class c moved to columns[c]."""
        return replace(self, codes=columns[self.codes])

    def _fields(self) -> list[AnyArray]:
        return [getattr(self, field.name) for field in fields(self)]


def shuffle(held: Examples, arriving: Examples, capacity: int) -> tuple[Examples, Examples]:
    """Pass rows through a buffer; once it is full, each arriving row replaces and emits one.

    A stream sorted by class is emitted mixed over about `capacity` rows.

    Returns
    -------
    emitted, held : Examples
    """
    rows = held.append(arriving)
    n_free = max(capacity - len(held), 0)
    slots = list(range(min(len(rows), capacity)))
    places = hash64(arriving.numbers[n_free:].astype(np.uint64)) % np.uint64(capacity)
    emitted = []
    for row, place in enumerate(places.tolist(), start=capacity):
        emitted.append(slots[place])
        slots[place] = row
    return rows.take(np.array(emitted, dtype=np.int64)), rows.take(np.array(slots, dtype=np.int64))


def sample(kept: Examples, arriving: Examples, capacity: int) -> Examples:
    """Return the rows of smallest hashes: a uniform sample of the stream (bottom-k sampling)."""
    rows = kept.append(arriving)
    if len(rows) <= capacity:
        return rows
    return rows.take(bottom_k(hash64(~rows.numbers.astype(np.uint64)), capacity))


def in_random_order(rows: Examples) -> Examples:
    """Return rows in the order of a hash of their numbers."""
    return rows.take(np.argsort(hash64(hash64(rows.numbers.astype(np.uint64)))))
