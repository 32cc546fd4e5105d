"""n-grams as integers: a context of the last 1 to `LONGEST_CONTEXT` tokens and what follows it.

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
TOKEN_BITS = 20
LARGEST_TOKEN = 2**TOKEN_BITS - 1
N_CONTEXTS = 2 ** (63 - TOKEN_BITS)
"""Hashes of contexts are below this, so that n-grams are non-negative 64-bit integers."""
NO_CONTEXT = -1
"""Stands for a context that would begin before its document does."""


def hash_contexts(tokens: IntArray) -> IntArray:
    """Hash the last 1 to `LONGEST_CONTEXT` tokens at every position of a sequence.

    Parameters
    ----------
    tokens : ndarray of shape (..., length), int64

    Returns
    -------
    ndarray of shape (..., length, LONGEST_CONTEXT), int64
        `NO_CONTEXT` where the sequence has fewer tokens.
    """
    length = tokens.shape[-1]
    contexts = np.full((*tokens.shape, LONGEST_CONTEXT), NO_CONTEXT)
    state = np.zeros(tokens.shape, dtype=np.uint64)
    for order in range(1, min(LONGEST_CONTEXT, length) + 1):
        first = tokens[..., : length - order + 1].astype(np.uint64)
        state = hash64(hash64(state[..., -first.shape[-1] :]) ^ first)
        contexts[..., order - 1 :, order - 1] = state >> np.uint64(TOKEN_BITS + 1)
    return contexts


def document_ngrams(tokens: IntArray, answers: BoolArray) -> IntArray:
    """Return the n-grams that end in the answers of a document.

    Parameters
    ----------
    tokens, answers : ndarray of shape (n,)

    Returns
    -------
    ndarray of shape (m, LONGEST_CONTEXT), int64
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
