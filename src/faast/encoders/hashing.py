"""Text features without weights: hashed words, word pairs and character n-grams."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faast._utils.hashing import scramble64
from faast.encoders.base import Encoder, Features, check_texts, label_texts
from faast.encoders.digests import fingerprint_of

Hashes = NDArray[np.uint64]

VERSION = 1
"""Raise it whenever the features change, so that models learned with other features are refused."""

_CHARACTER_SIZES = (3, 4, 5)
"""Lengths of the character n-grams."""

_WORD_WEIGHT, _PAIR_WEIGHT, _CHARACTER_WEIGHT = 2, 1, 1
"""Integer weights of a word, of a pair of neighbouring words and of a character n-gram."""

_CHUNK_ROWS, _CHUNK_CHARACTERS = 128, 1 << 18
"""Most rows and characters hashed together, so that temporary arrays fit the processor's cache."""

_BASE = 0x9E3779B97F4A7C15
_INVERSE_BASE = pow(_BASE, -1, 1 << 64)
_MIN_POWERS = 1 << 14

_SPACE = ord(" ")


class HashingEncoder(Encoder):
    """Hash words, word pairs and the character n-grams inside words to signed coordinates.

    Parameters
    ----------
    n_features : int
        Number of columns of the features, at least 1.

    Raises
    ------
    ValueError
        If `n_features` is less than 1.

    Notes
    -----
    The hash of an n-gram g decides a coordinate j_g and a sign s_g; an n-gram of weight u_g adds
    s_g u_g to that coordinate. This is a sparse random projection of the n-gram counts (Weinberger
    et al. 2009). With c the integer sums of a text, its features are

        x_j = sign(c_j) sqrt(|c_j| / sum_i |c_i|),

    which damps repeated n-grams and has norm 1. All sums are exact integers, so a text has the
    same bits in every batch and on every machine.
    """

    name = "hashing"
    modality = "text"
    reproducible = True

    def __init__(self, n_features: int = 2048) -> None:
        if n_features < 1:
            raise ValueError(f"n_features must be at least 1, got {n_features}")
        self._n_features = n_features

    @property
    def n_features(self) -> int:
        """Number of columns of the features."""
        return self._n_features

    @property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        return fingerprint_of("hashing", str(VERSION), str(self._n_features))

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return {"name": self.name, "n_features": self._n_features}

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`."""
        texts = check_texts(rows, numbers)
        out = np.zeros((len(texts), self._n_features), np.float32)
        for chunk in _chunks(texts):
            self._fill(out[chunk], [_normalize(text) for text in texts[chunk]])
        return out

    def share_out(self, text: str, weights: NDArray[np.float64]) -> list[tuple[str, float]]:
        """See `Encoder.share_out`: a coordinate is shared out among its n-grams by their sums.

        An n-gram belongs to the word that it lies in, a pair of words by half to each.
        """
        normal = _normalize(text)
        words = normal.split()
        kinds = list(_ngrams([normal]))
        totals = np.zeros(len(words))
        if not any(len(ngrams.rows) for ngrams in kinds):
            return [(word, 0.0) for word in words]
        hashes = scramble64(np.concatenate([ngrams.hashes for ngrams in kinds]))
        signed = np.concatenate(
            [np.full(len(ngrams.rows), float(ngrams.weight)) for ngrams in kinds]
        )
        signed[hashes & np.uint64(1) > 0] *= -1.0
        column = self._columns(hashes)
        sums = np.bincount(column, signed, minlength=self._n_features)
        features = self.encode([text])[0].astype(np.float64)
        per_unit = np.divide(features * weights, sums, out=np.zeros_like(sums), where=sums != 0)
        effects = signed * per_unit[column]
        # the word of a character is the number of spaces up to it, the first of which is outside
        word_of = np.cumsum(np.frombuffer(normal.encode("utf-32-le"), np.uint32) == _SPACE)
        for half in (0, 1):
            places = np.concatenate([ngrams.inside[half] for ngrams in kinds])
            np.add.at(totals, word_of[places] - 1, 0.5 * effects)
        return list(zip(words, totals.tolist(), strict=True))

    def _columns(self, hashes: Hashes) -> NDArray[np.int64]:
        """Return the coordinate that the upper half of each hash gives."""
        column = (hashes >> np.uint64(32)) * np.uint64(self._n_features) >> np.uint64(32)
        return column.view(np.int64)

    def encode_labels(self, labels: Sequence[Any]) -> Features:
        """See `Encoder.encode_labels`."""
        return self.encode(label_texts(labels, "{label}"))

    def _fill(self, out: Features, texts: list[str]) -> None:
        """Write the features of the texts into `out`, which holds zeros."""
        kinds = list(_ngrams(texts))
        hashes = scramble64(np.concatenate([ngrams.hashes for ngrams in kinds]))
        rows = np.concatenate([ngrams.rows for ngrams in kinds])
        counts = [len(ngrams.rows) for ngrams in kinds]
        weights = np.repeat([float(ngrams.weight) for ngrams in kinds], counts)
        # The lowest bit of a hash gives the sign.
        flat = rows * self._n_features + self._columns(hashes)
        signed = np.where(hashes & np.uint64(1), -weights, weights)
        sums = np.bincount(flat, signed, minlength=out.size)
        filled = np.flatnonzero(sums)  # few sums are not zero: go on with those alone
        rows, sums = filled // self._n_features, sums[filled]
        totals = np.bincount(rows, np.abs(sums), minlength=len(texts))
        out.reshape(-1)[filled] = np.copysign(np.sqrt(np.abs(sums) / totals[rows]), sums)
        out[totals == 0, 0] = 1.0  # no n-grams, or all sums cancelled: use a fixed unit vector


class PrefixHash:
    """Polynomial hashes of any span of a sequence, in constant time per span.

    Parameters
    ----------
    codes : ndarray of shape (n,), uint32
        The sequence, such as the code points of a text.

    Notes
    -----
    With H_i = sum_{j<i} h(c_j) B^j modulo 2^64, the span [a, b) has the hash (H_b - H_a) B^-a.
    Equal spans have equal hashes wherever they begin. B^-1 exists because B is odd.
    """

    def __init__(self, codes: NDArray[np.uint32]) -> None:
        powers, self._inverse_powers = _powers(max(len(codes), _MIN_POWERS).bit_length())
        terms = scramble64(codes.astype(np.uint64) + np.uint64(1)) * powers[: len(codes)]
        self._prefix = np.zeros(len(codes) + 1, np.uint64)
        np.cumsum(terms, out=self._prefix[1:])

    def spans(self, start: NDArray[np.int64], stop: NDArray[np.int64]) -> Hashes:
        """Hash the spans [start, stop).

        Parameters
        ----------
        start, stop : ndarray of shape (n_spans,), int64

        Returns
        -------
        ndarray of shape (n_spans,), uint64
        """
        return (self._prefix[stop] - self._prefix[start]) * self._inverse_powers[start]


@lru_cache(maxsize=1)
def _powers(bits: int) -> tuple[Hashes, Hashes]:
    """Return the first 2**bits powers of the base and of its inverse, modulo 2**64."""
    tables = []
    for factor in (_BASE, _INVERSE_BASE):
        table = np.full(1 << bits, factor, np.uint64)
        table[0] = 1
        tables.append(np.cumprod(table, out=table))
    return tables[0], tables[1]


class _NGrams(NamedTuple):
    """N-grams of one kind.

    Attributes
    ----------
    hashes : ndarray of shape (n,), uint64
    rows : ndarray of shape (n,), int64
        Text that each occurs in.
    weight : int
        Their common weight.
    inside : pair of ndarray of shape (n,), int64
        Places of two characters of each: both in its word, or one in each word of a pair.
    """

    hashes: Hashes
    rows: NDArray[np.int64]
    weight: int
    inside: tuple[NDArray[np.int64], NDArray[np.int64]]


def _chunks(texts: list[str]) -> Iterator[slice]:
    """Cut rows into chunks of few rows and few characters, or of one row of any length."""
    start = characters = 0
    for row, text in enumerate(texts):
        characters += len(text)
        if row - start == _CHUNK_ROWS or (row > start and characters > _CHUNK_CHARACTERS):
            yield slice(start, row)
            start, characters = row, len(text)
    if texts:
        yield slice(start, len(texts))


def _normalize(text: str) -> str:
    """Return the text in NFKC form and lower case, with one space before and after every word."""
    text = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return f" {' '.join(text.casefold().split())} "


def _ngrams(texts: list[str]) -> Iterator[_NGrams]:
    """Hash every n-gram of the texts, one kind after the other."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    row_of = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    prefix = PrefixHash(codes)
    spaces = np.concatenate([[0], np.cumsum(codes == _SPACE)])
    for size in _CHARACTER_SIZES:
        # An n-gram may begin or end with the space beside a word, but hold none inside.
        inner = spaces[size - 1 : -1] - spaces[1 : len(spaces) - size + 1]
        start = np.flatnonzero(inner == 0)
        # Adding the size keeps the kinds apart.
        hashes = prefix.spans(start, start + size) + np.uint64(size)
        # the second character is inside the word, even where the first is the space before it
        yield _NGrams(hashes, row_of[start], _CHARACTER_WEIGHT, (start + 1, start + 1))
    start, stop = _words(codes)
    words, rows = scramble64(prefix.spans(start, stop)), row_of[start]
    yield _NGrams(words, rows, _WORD_WEIGHT, (start, start))
    pairs = words[:-1] * np.uint64(3) + words[1:]
    same_row = rows[:-1] == rows[1:]
    inside = start[:-1][same_row], start[1:][same_row]
    yield _NGrams(pairs[same_row], rows[:-1][same_row], _PAIR_WEIGHT, inside)


def _words(codes: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find where each run of letters, digits and apostrophes starts and stops."""
    is_word = _word_characters()
    inside = is_word[np.minimum(codes, len(is_word) - 1)]
    edges = np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)


@cache
def _word_characters() -> NDArray[np.bool_]:
    """Tell which code points belong to words; the last entry stands for all beyond 2**16."""
    basic = [chr(code).isalnum() or chr(code) == "'" for code in range(1 << 16)]
    return np.array([*basic, True])
