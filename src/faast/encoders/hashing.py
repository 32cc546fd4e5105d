"""Hashes of all substrings of a text, from one running sum.

Text features without weights: hashed word and character n-grams.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faast.data.reader import Modality
from faast.encoders.base import Encoder, Features, check_texts, digest_of, label_texts

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


VERSION = 1
"""Raised whenever the features change: models learned with another version are refused."""

CHARACTERS = (3, 4, 5)
WORD_UNITS, PAIR_UNITS, CHARACTER_UNITS = 2, 1, 1
"""Integer weights of a word, a pair of neighbouring words and a character n-gram."""

CHUNK_ROWS, CHUNK_CHARACTERS = 128, 1 << 18
"""Rows and characters hashed at a time: work arrays stay in cache, and memory small."""

_SPACE = ord(" ")


class HashingEncoder(Encoder):
    """Hash words, word pairs and the character n-grams inside words to signed coordinates.

    Parameters
    ----------
    n_features : int
        Columns of the features.

    Notes
    -----
    An n-gram g of weight u_g adds s_g u_g to coordinate j_g, both drawn by its hash: a sparse
    random projection of the n-gram counts (Weinberger et al. 2009). With c the integer sums,

        x_j = sign(c_j) sqrt(|c_j| / sum_i |c_i|),

    which damps repeated n-grams and has norm 1 by construction. Sums, and the norm with them, are
    exact integers, so a row has the same bits in any batch on any machine.
    """

    modality: Modality = "text"
    reproducible = True
    name = "hashing"

    def __init__(self, n_features: int = 2048) -> None:
        if n_features < 1:
            raise ValueError(f"n_features must be at least 1, got {n_features}")
        self._n_features = n_features

    @property
    def n_features(self) -> int:
        """Columns of the features."""
        return self._n_features

    @property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        return digest_of("hashing", str(VERSION), str(self._n_features))

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return {"name": self.name, "n_features": self._n_features}

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`.

        Raises
        ------
        TypeError
            A row is no string.
        """
        texts = check_texts(rows, numbers)
        out = np.zeros((len(texts), self._n_features), np.float32)
        for chunk in _chunks(texts):
            self._fill(out[chunk], [_clean(text) for text in texts[chunk]])
        return out

    def encode_labels(self, labels: Sequence[Any]) -> Features:
        """See `Encoder.encode_labels`."""
        return self.encode(label_texts(labels, "{label}"))

    def _fill(self, out: Features, texts: list[str]) -> None:
        """Write the features of the texts into `out`, which holds zeros."""
        kinds = list(_grams(texts))
        mixed = mix(np.concatenate([grams.hashes for grams in kinds]))
        rows = np.concatenate([grams.rows for grams in kinds])
        units = np.repeat([float(grams.units) for grams in kinds], [len(g.rows) for g in kinds])
        column = (mixed >> np.uint64(32)) * np.uint64(self._n_features) >> np.uint64(32)
        place = rows * self._n_features + column.view(np.int64)
        signed = np.where(mixed & np.uint64(1), -units, units)
        sums = np.bincount(place, signed, minlength=out.size)
        # Few sums differ from zero: the rest of the work is on those alone.
        filled = np.flatnonzero(sums)
        rows, sums = filled // self._n_features, sums[filled]
        totals = np.bincount(rows, np.abs(sums), minlength=len(texts))
        out.reshape(-1)[filled] = np.copysign(np.sqrt(np.abs(sums) / totals[rows]), sums)
        out[totals == 0, 0] = 1.0  # sums that cancelled out altogether: any fixed unit row will do


class _Grams(NamedTuple):
    hashes: NDArray[np.uint64]
    rows: NDArray[np.int64]
    units: int


def _chunks(texts: list[str]) -> Iterator[slice]:
    """Cut rows into chunks of few rows and few characters (or one row, however long)."""
    start = characters = 0
    for row, text in enumerate(texts):
        characters += len(text)
        if row - start == CHUNK_ROWS or (row > start and characters > CHUNK_CHARACTERS):
            yield slice(start, row)
            start, characters = row, len(text)
    if texts:
        yield slice(start, len(texts))


def _clean(text: str) -> str:
    """Return compatibility-composed lower case, words apart by one space, a space at each end."""
    text = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return f" {' '.join(text.casefold().split())} "


def _grams(texts: list[str]) -> Iterator[_Grams]:
    """Hash every n-gram of the texts; each kind of n-gram has hashes of its own."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    row_of = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    prefix = PrefixHash(codes)
    spaces = np.concatenate([[0], np.cumsum(codes == _SPACE)])
    for size in CHARACTERS:
        # A gram may take in the space at either end of a word but not reach across it.
        inner = spaces[size - 1 : -1] - spaces[1 : len(spaces) - size + 1]
        start = np.flatnonzero(inner == 0)
        hashes = prefix.spans(start, start + size) + np.uint64(size)
        yield _Grams(hashes, row_of[start], CHARACTER_UNITS)
    start, stop = _words(codes)
    words, rows = mix(prefix.spans(start, stop)), row_of[start]
    yield _Grams(words, rows, WORD_UNITS)
    pairs = words[:-1] * np.uint64(3) + words[1:]
    together = rows[:-1] == rows[1:]
    yield _Grams(pairs[together], rows[:-1][together], PAIR_UNITS)


def _words(codes: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the runs of letters, digits and apostrophes: first place, and place after the last."""
    known = _word_characters()
    inside = known[np.minimum(codes, len(known) - 1)]
    edges = np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


@cache
def _word_characters() -> NDArray[np.bool_]:
    """Tell for each code point whether words are made of it; all beyond the last one are."""
    basic = [chr(code).isalnum() or chr(code) == "'" for code in range(1 << 16)]
    return np.array([*basic, True])
