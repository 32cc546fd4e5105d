"""Back-off weights: how far the continuations of a known context are trusted, by its length.

The prediction p is the model's at first. Each known context, from the empty one to the longest,
turns it into (1 - w) p + w c / n, with c the counts of what followed the context, n their sum, and
w a weight that depends on its length and on what kind of match it is. Weights are fitted by
expectation maximisation (Dempster, Laird & Rubin 1977), as in interpolated language models
(Jelinek & Mercer 1980), on documents that are left out of the counts.

What a left-out document has in common with its neighbours overstates what short contexts foretell
in other texts. So those weights are made as small as the left-out documents allow: the smallest of
some factors of which the mean loss is within two standard errors of the least one, as in the
choice of a pruned tree (Breiman, Friedman, Olshen & Stone 1984).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from faast.lm.ngram_counts import NgramCounts
from faast.lm.ngrams import N_LENGTHS, context_of, document_ngrams, token_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faast._utils.arrays import FloatArray, IntArray
    from faast.lm.document_sample import SampledDocument

COUNTS = (1, 2, 3, 5, 9, 17, 65)
"""Lowest counts of matches that are trusted alike."""
DISTINCT_SHARES = (0.25, 0.5, 0.99)
"""Highest shares of distinct tokens, among all that followed, that are trusted alike."""
N_KINDS = len(COUNTS) * (len(DISTINCT_SHARES) + 1)
PRIOR_WEIGHTS = (0.01, 0.01, 0.02, 0.05, 0.15, 0.3, 0.4)
"""Weights by length of the context, before any evidence."""
PRIOR_MATCHES = 50
"""Matches that the prior weights count for."""
STEPS = 30

SHORT_LENGTHS = 4
"""Contexts of fewer tokens are short."""
FACTORS = (0.0, 0.125, 0.25, 0.5, 1.0)
"""Candidate factors on the weights of short contexts."""
STANDARD_ERRORS = 2.0

_LENGTHS = np.arange(N_LENGTHS)


class Evidence(NamedTuple):
    """What contexts of some tokens foretold, by length of the context.

    Attributes
    ----------
    total, distinct : ndarray of shape (n, N_LENGTHS), int64
        How often each context was learned, and with how many different continuations.
    hits : ndarray of shape (n, N_LENGTHS), int64
        How often the token that follows here was the one that was learned.
    """

    total: IntArray
    distinct: IntArray
    hits: IntArray

    @property
    def kinds(self) -> IntArray:
        """Kind of each match; see `match_kinds`."""
        return match_kinds(self.total, self.distinct)

    @property
    def recalled(self) -> FloatArray:
        """Share of the continuations of each context that were the token."""
        return self.hits / np.maximum(self.total, 1)


class Shares(NamedTuple):
    """What a prediction is mixed of.

    Attributes
    ----------
    model : ndarray of shape (n,)
    contexts : ndarray of shape (n, N_LENGTHS)
    """

    model: FloatArray
    contexts: FloatArray


@dataclass(frozen=True)
class BackoffWeights:
    """Weights by length of the context and kind of match.

    Attributes
    ----------
    weights : ndarray of shape (N_LENGTHS, N_KINDS)
    """

    weights: FloatArray

    @classmethod
    def prior(cls) -> BackoffWeights:
        """Return the weights before any evidence."""
        return cls(np.repeat(np.array(PRIOR_WEIGHTS)[:, None], N_KINDS, axis=1))

    @classmethod
    def fit(cls, model: Sequence[FloatArray], evidence: Sequence[Evidence]) -> BackoffWeights:
        """Fit weights to documents that were left out of the counts.

        Parameters
        ----------
        model : sequence of ndarray of shape (n,)
            Probability that the model alone gives each token, by document.
        evidence : sequence of Evidence
        """
        every = Evidence(*(np.concatenate(part) for part in zip(*evidence, strict=True)))
        fitted = cls._maximise(np.concatenate(model), every)
        if len(model) < 2:
            return fitted
        candidates = [fitted._with_short(factor) for factor in FACTORS]
        losses = np.array(
            [
                [each._mean_loss(p, part) for p, part in zip(model, evidence, strict=True)]
                for each in candidates
            ]
        )
        excess = losses - losses[losses.mean(axis=1).argmin()]
        errors = excess.std(axis=1, ddof=1) / len(model) ** 0.5
        return candidates[int((excess.mean(axis=1) <= STANDARD_ERRORS * errors).argmax())]

    @classmethod
    def _maximise(cls, model: FloatArray, evidence: Evidence) -> BackoffWeights:
        """Return the weights of greatest likelihood, with the prior ones as further matches."""
        found = prior = cls.prior()
        kinds = evidence.kinds
        recalled = evidence.recalled
        for _ in range(STEPS):
            weights = found._of_kinds(kinds)
            mixed = [model]
            for length in range(N_LENGTHS):
                weight = weights[:, length]
                mixed.append((1 - weight) * mixed[-1] + weight * recalled[:, length])
            updated = np.empty_like(prior.weights)
            reached = np.ones_like(model)  # probability that no longer context gave the token
            for length in reversed(range(N_LENGTHS)):
                gave = weights[:, length] * recalled[:, length] / mixed[length + 1]
                known = kinds[:, length] >= 0
                kind = kinds[known, length]
                gains = np.bincount(kind, (reached * gave)[known], N_KINDS)
                tries = np.bincount(kind, reached[known], N_KINDS)
                updated[length] = (gains + PRIOR_MATCHES * prior.weights[length]) / (
                    tries + PRIOR_MATCHES
                )
                reached = reached * (1 - gave)
            found = cls(updated)
        return found

    def shares(self, kinds: IntArray) -> Shares:
        """Return what each context of some kinds (n, N_LENGTHS) has in the prediction."""
        contexts = self._of_kinds(kinds)
        left = (1.0 - contexts[:, ::-1]).cumprod(axis=1)[:, ::-1]
        contexts[:, :-1] *= left[:, 1:]
        return Shares(left[:, 0], contexts)

    def _with_short(self, factor: float) -> BackoffWeights:
        """Return the weights with those of short contexts multiplied by a factor."""
        factors = np.where(_LENGTHS < SHORT_LENGTHS, factor, 1.0)
        return BackoffWeights(self.weights * factors[:, None])

    def _mean_loss(self, model: FloatArray, evidence: Evidence) -> float:
        """Return the mean negative log-likelihood of tokens."""
        shares = self.shares(evidence.kinds)
        mixed = shares.model * model + (shares.contexts * evidence.recalled).sum(axis=1)
        return float(-np.log(mixed).mean())

    def _of_kinds(self, kinds: IntArray) -> FloatArray:
        return self._padded[_LENGTHS, kinds]

    @cached_property
    def _padded(self) -> FloatArray:
        """Weights by kind; those of kind -1 come last and are 0."""
        return np.pad(self.weights, ((0, 0), (0, 1)))


def match_kinds(total: IntArray, distinct: IntArray) -> IntArray:
    """Return the kind of each match, by its count and its share of distinct tokens; -1 for none."""
    by_count = np.searchsorted(COUNTS, total, side="right") - 1
    by_share = np.searchsorted(DISTINCT_SHARES, distinct / np.maximum(total, 1))
    return np.where(total > 0, by_count * (len(DISTINCT_SHARES) + 1) + by_share, -1)


def left_out_evidence(counts: NgramCounts, sampled: SampledDocument) -> Evidence:
    """Return the evidence for the learned tokens of a document, as if it had not been learned."""
    (document, copies) = sampled
    ngrams = document_ngrams(document.tokens.numpy(), document.answers.numpy())
    contexts, tokens = context_of(ngrams), token_of(ngrams)
    places = counts.find(contexts)
    total, distinct = counts.contexts.total[places], counts.contexts.distinct[places]
    own, times = np.unique(ngrams, return_counts=True)
    held = counts.count(context_of(own), token_of(own))
    times = np.where(held > 0, copies * times, 0)
    own_contexts, index = np.unique(context_of(own), return_inverse=True)
    own_total = np.bincount(index, times).astype(np.int64)
    own_distinct = np.bincount(index, (held == times) & (held > 0)).astype(np.int64)
    at = np.searchsorted(own_contexts, contexts)
    hits = counts.count(contexts, tokens) - times[np.searchsorted(own, ngrams)]
    return Evidence(total - own_total[at], distinct - own_distinct[at], hits)
