"""Hashes of all substrings of a text, from one running sum."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_SHORTEST = 1 << 14


class PrefixHash:
    """Polynomial hashes of any span of a sequence of codes in constant time each.

    Parameters
    ----------
    codes : ndarray of shape (n,), uint32

    Notes
    -----
    With H_i = sum_{j<i} mix(c_j) B^j modulo 2^64, the span [a, b) hashes to (H_b - H_a) B^-a: equal
    spans hash alike wherever they stand, because the odd base B has an inverse modulo 2^64.
    """

    def __init__(self, codes: NDArray[np.uint32]) -> None:
        powers, self._inverse_powers = _powers(max(len(codes), _SHORTEST).bit_length())
        terms = mix(codes.astype(np.uint64) + np.uint64(1)) * powers[: len(codes)]
        self._prefix = np.zeros(len(codes) + 1, np.uint64)
        np.cumsum(terms, out=self._prefix[1:])

    def spans(self, start: NDArray[np.int64], stop: NDArray[np.int64]) -> Hashes:
        """Hash the spans [start, stop), shape (len(start),)."""
        return (self._prefix[stop] - self._prefix[start]) * self._inverse_powers[start]


def mix(hashes: Hashes) -> Hashes:
    """Spread every input bit over all output bits (a splitmix64 finaliser), shape kept."""
    hashes = hashes ^ (hashes >> np.uint64(30))
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    hashes ^= hashes >> np.uint64(27)
    hashes *= np.uint64(0x94D049BB133111EB)
    hashes ^= hashes >> np.uint64(31)
    return hashes


@lru_cache(maxsize=1)
def _powers(bits: int) -> tuple[Hashes, Hashes]:
    """Powers 0 to 2**bits - 1 of the base and of its inverse, modulo 2**64."""
    tables = []
    for factor in (_BASE, _INVERSE):
        table = np.full(1 << bits, factor, np.uint64)
        table[0] = 1
        tables.append(np.cumprod(table, out=table))
    return tables[0], tables[1]
