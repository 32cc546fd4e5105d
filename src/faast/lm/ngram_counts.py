"""Counts of n-grams in bounded memory: integers, so that the order of learning does not matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from faast.core.state import Array, Range
from faast.lm.exceptions import NOT_LEARNED, ForgettingError
from faast.lm.ngrams import (
    EMPTY_CONTEXT,
    N_CONTEXTS,
    NO_CONTEXT,
    context_of,
    join,
    token_of,
)
from faast.lm.state import LARGEST_COUNT, LearnedState, checked

if TYPE_CHECKING:
    from faast._utils.arrays import BoolArray, IntArray

MAX_NGRAMS = 2**20
"""Different n-grams that are kept, 16 MB: all of some 200,000 tokens of text."""


class Contexts(NamedTuple):
    """All contexts that were learned, in the order of their hashes; the last one is unknown.

    Attributes
    ----------
    hashes : ndarray of shape (n + 1,), int64
        That of the unknown context is one that no context has.
    start : ndarray of shape (n + 1,), int64
        Where the n-grams of each context begin in the table.
    distinct : ndarray of shape (n + 1,), int64
        Number of them: of the different tokens that followed.
    total : ndarray of shape (n + 1,), int64
        How often each was learned.
    """

    hashes: IntArray
    start: IntArray
    distinct: IntArray
    total: IntArray


@dataclass(frozen=True)
class NgramCounts(LearnedState):
    """How often each n-gram was learned.

    Attributes
    ----------
    ngrams : Tensor of shape (n,), int64
        In ascending order, and so in that of the hashes of their contexts.
    counts : Tensor of shape (n,), int64
        Positive.
    threshold : int
        Contexts whose hashes reach it are not kept. It falls where the n-grams below it become more
        than `MAX_NGRAMS`: to the highest with which they are not, whatever the order they came in.
    """

    ngrams: Tensor = field(metadata=checked(Array("n", dtypes=("int64",), minimum=0)))
    counts: Tensor = field(metadata=checked(Array("n", dtypes=("int64",), minimum=1)))
    threshold: int = field(default=N_CONTEXTS, metadata=checked(Range(0, N_CONTEXTS)))

    @classmethod
    def empty(cls) -> NgramCounts:
        """Return the counts of nothing."""
        none = torch.empty(0, dtype=torch.long)
        return cls(none, none)

    def validate(self, empty: NgramCounts) -> None:
        """Raise ValueError where n-grams are out of order or too many, or beyond the threshold."""
        del empty
        ngrams = self.ngrams.numpy()
        if len(ngrams) > MAX_NGRAMS or bool((np.diff(ngrams) <= 0).any()):
            raise ValueError(f"there must be at most {MAX_NGRAMS} n-grams, in ascending order")
        if len(ngrams) and int(context_of(ngrams[-1])) >= self.threshold:
            raise ValueError("there are n-grams beyond their threshold")
        tokens = token_of(ngrams)
        if not np.isin(tokens, tokens[context_of(ngrams) == EMPTY_CONTEXT]).all():
            raise ValueError("a token that followed a context must have followed the empty one")
        if len(ngrams) and int(self.counts.max()) > LARGEST_COUNT:
            raise ValueError(f"counts must be at most {LARGEST_COUNT}")

    def learn(self, ngrams: IntArray) -> NgramCounts:
        """Return the counts after learning n-grams, which may repeat."""
        return self._add(*np.unique(ngrams, return_counts=True))

    def forget(self, ngrams: IntArray) -> NgramCounts:
        """Return the counts as if n-grams had never been learned.

        Raises
        ------
        ForgettingError
            They have not been learned so often.
        """
        different, counts = np.unique(ngrams, return_counts=True)
        return self._add(different, -counts)

    def merge(self, other: NgramCounts) -> NgramCounts:
        """Return the counts of what both have learned."""
        lower = NgramCounts(self.ngrams, self.counts, min(self.threshold, other.threshold))
        return lower._add(other.ngrams.numpy(), other.counts.numpy())

    @cached_property
    def contexts(self) -> Contexts:
        """All contexts; listed when first asked for."""
        hashes, counts = context_of(self.ngrams.numpy()), self.counts.numpy()
        start = np.flatnonzero(np.diff(hashes, prepend=NO_CONTEXT))
        total = np.add.reduceat(counts, start) if len(start) else start
        distinct = np.diff(start, append=len(hashes))
        rest = (np.append(values, 0) for values in (start, distinct, total))
        return Contexts(np.append(hashes[start], N_CONTEXTS), *rest)

    def find(self, contexts: IntArray) -> IntArray:
        """Return the places of contexts (...) in the list of all; `NO_CONTEXT` is unknown."""
        hashes = self.contexts.hashes
        places = hashes.searchsorted(contexts)
        return np.where(hashes[places] == contexts, places, len(hashes) - 1)

    def count(self, contexts: IntArray, tokens: IntArray) -> IntArray:
        """Return how often tokens (...) were learned after contexts (...)."""
        at, known = self._position(join(contexts, tokens))
        return np.append(self.counts.numpy(), 0)[np.where(known, at, -1)]

    def _position(self, wanted: IntArray) -> tuple[IntArray, BoolArray]:
        """Return where n-grams stand or would be inserted, and which of them are there."""
        ngrams = self.ngrams.numpy()
        at = np.searchsorted(ngrams, wanted)
        return at, np.append(ngrams, NO_CONTEXT - 1)[at] == wanted

    def _add(self, different: IntArray, change: IntArray) -> NgramCounts:
        """Add to the counts of n-grams that are sorted and do not repeat."""
        below = np.searchsorted(context_of(different), self.threshold)
        different, change = different[:below], change[:below]
        at, known = self._position(different)
        counts = self.counts.numpy().copy()
        counts[at[known]] += change[known]
        ngrams = np.insert(self.ngrams.numpy(), at[~known], different[~known])
        counts = np.insert(counts, at[~known], change[~known])
        if bool((counts < 0).any()):
            raise ForgettingError(NOT_LEARNED)
        return _bounded(ngrams[counts > 0], counts[counts > 0], self.threshold)


def _bounded(ngrams: IntArray, counts: IntArray, threshold: int) -> NgramCounts:
    """Lower the threshold until no more than `MAX_NGRAMS` are below it."""
    contexts = context_of(ngrams)
    if len(ngrams) > MAX_NGRAMS:
        threshold = min(threshold, int(contexts[MAX_NGRAMS]))
    below = np.searchsorted(contexts, threshold)
    return NgramCounts(
        torch.from_numpy(ngrams[:below].copy()), torch.from_numpy(counts[:below].copy()), threshold
    )
