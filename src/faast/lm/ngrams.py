"""n-grams as integers: a context of the last 0 to `LONGEST_CONTEXT` tokens and what follows it.

A context is a hash of its tokens, an n-gram the hash of its context followed by the bits of its
last token: in a sorted list of n-grams the continuations of a context are neighbours, and contexts
lie in the order of their hashes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faast._utils.hashing import hash64

if TYPE_CHECKING:
    from typing import TypeVar

    from torch import Tensor

    from faast._utils.arrays import BoolArray, IntArray

    Ngrams = TypeVar("Ngrams", IntArray, Tensor)

LONGEST_CONTEXT = 6
N_LENGTHS = LONGEST_CONTEXT + 1
"""Lengths of contexts, that of the empty one among them."""
TOKEN_BITS = 20
LARGEST_TOKEN = 2**TOKEN_BITS - 1
N_CONTEXTS = 2 ** (63 - TOKEN_BITS)
"""Hashes of contexts are below this, so that n-grams are non-negative 64-bit integers."""
EMPTY_CONTEXT = 0
"""Hash of no tokens."""
NO_CONTEXT = -1
"""Stands for a context that would begin before its document does."""
PADDING = -1
"""Marks padding; contexts that would contain it are `NO_CONTEXT`."""

_DISTANCES = np.arange(LONGEST_CONTEXT)
_LENGTHS = np.arange(N_LENGTHS)
_MULTIPLIERS = np.where(
    _DISTANCES[:, None] < _LENGTHS, hash64(_DISTANCES.astype(np.uint64))[:, None], np.uint64(0)
)
_OFFSETS = _MULTIPLIERS.sum(axis=0)
_UNUSED_BITS = np.uint64(TOKEN_BITS + 1)


def hash_contexts(tokens: IntArray, n_last: int | None = None) -> IntArray:
    """Hash the last 0 to `LONGEST_CONTEXT` tokens at positions of a sequence.

    Parameters
    ----------
    tokens : ndarray of shape (..., length), integer
        `PADDING` where there is none.
    n_last : int, optional
        Number n of positions, the last ones. By default all of them.

    Returns
    -------
    ndarray of shape (..., n, N_LENGTHS), int64
        `NO_CONTEXT` where the sequence has fewer tokens, or padding among them.

    Notes
    -----
    With tokens x_0, x_1, ... from the last one backwards, a context is the upper bits of
    sum_j (x_j + 1) m_j modulo 2^64 (multilinear hashing: Carter & Wegman 1979; Lemire & Kaser
    2014), with fixed random multipliers m_j.
    """
    length = tokens.shape[-1]
    first = 0 if n_last is None else length - n_last
    position = np.arange(first, length)[:, None]
    before = tokens.take(position - _DISTANCES, axis=-1, mode="clip").astype(np.int64, copy=False)
    sums = before.view(np.uint64) @ _MULTIPLIERS + _OFFSETS
    short = position < _LENGTHS - 1
    if before.min(initial=0) < 0:
        padded = np.logical_or.accumulate(before < 0, axis=-1)
        short = short | np.insert(padded, 0, False, axis=-1)
    return np.where(short, NO_CONTEXT, (sums >> _UNUSED_BITS).view(np.int64))


def document_ngrams(tokens: IntArray, answers: BoolArray) -> IntArray:
    """Return the n-grams that end in the answers of a document.

    Parameters
    ----------
    tokens, answers : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (m, N_LENGTHS), int64
        A row for every answer but a first token; `NO_CONTEXT` where too few tokens precede it.
    """
    learned = answers[1:]
    return join(hash_contexts(tokens)[:-1][learned], tokens[1:][learned, None])


def join(contexts: IntArray, tokens: IntArray | int) -> IntArray:
    """Return the n-grams of contexts (...) and the tokens (...) that follow them."""
    return np.where(contexts == NO_CONTEXT, NO_CONTEXT, contexts << TOKEN_BITS | tokens)


def context_of(ngrams: IntArray) -> IntArray:
    """Return the contexts of n-grams (...)."""
    return ngrams >> TOKEN_BITS


def token_of(ngrams: Ngrams) -> Ngrams:
    """Return the last tokens of n-grams (...)."""
    return ngrams & LARGEST_TOKEN
