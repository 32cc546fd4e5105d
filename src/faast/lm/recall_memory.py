"""The recall memory: exact counts of what followed the last tokens, mixed into the logits."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from faast.core.state import Range
from faast.lm.backbone import check_targets
from faast.lm.backoff import BackoffWeights, left_out_evidence, match_kinds
from faast.lm.base import LearningPart, Shift
from faast.lm.continuations import Continuations, Frequencies
from faast.lm.document_sample import DocumentSample
from faast.lm.exceptions import (
    NOT_LEARNED,
    FoldingError,
    ForgettingError,
    UnsupportedModelError,
)
from faast.lm.hooks import LOGITS, logits_as_given
from faast.lm.lm_head import token_losses
from faast.lm.ngram_counts import NgramCounts
from faast.lm.ngrams import (
    EMPTY_CONTEXT,
    LARGEST_TOKEN,
    N_LENGTHS,
    context_of,
    document_ngrams,
    hash_contexts,
    token_of,
)
from faast.lm.state import LARGEST_COUNT, SETTING, checked

if TYPE_CHECKING:
    from faast._utils.arrays import FloatArray, IntArray
    from faast.lm.backbone import Backbone
    from faast.lm.batch import Document, TrainingBatch

LEAST_PROBABILITY = 1e-30


@dataclass(frozen=True)
class Recalled:
    """A learned passage that speaks for a next token.

    Attributes
    ----------
    context : tuple of int
        Its tokens, which are the last ones of the prompt.
    token : int
        The token that followed it.
    count, total : int
        How often the token followed it, and how often the passage was learned.
    probability : float
        What the passage adds to the token's probability.
    """

    context: tuple[int, ...]
    token: int
    count: int
    total: int
    probability: float


@dataclass(frozen=True)
class RecallMemory(LearningPart):
    """Counts of n-grams, an n-gram cache in the terms of language modelling.

    Attributes
    ----------
    counts : NgramCounts
    sample : DocumentSample
        Documents to fit the back-off weights on, left out of the counts.
    n_pairs : int
        Pairs learned.
    backbone : Backbone
    """

    counts: NgramCounts
    sample: DocumentSample
    backbone: Backbone = field(metadata=SETTING)
    n_pairs: int = field(default=0, metadata=checked(Range(0, LARGEST_COUNT)))
    point = LOGITS

    @classmethod
    def empty(cls, backbone: Backbone) -> RecallMemory:
        """Return a memory that has learned nothing.

        Raises
        ------
        UnsupportedModelError
            The vocabulary is too large.
        """
        if backbone.head.vocabulary - 1 > LARGEST_TOKEN:
            raise UnsupportedModelError(
                f"a recall memory holds tokens up to {LARGEST_TOKEN}, the model has "
                f"{backbone.head.vocabulary}; attach memories with recall=False"
            )
        return cls(NgramCounts.empty(), DocumentSample.empty(), backbone)

    def validate(self, empty: RecallMemory) -> None:
        """Raise ValueError where the content is not one that this model can learn."""
        check_targets(token_of(self.counts.ngrams), empty.backbone)
        check_targets(self.sample.tokens[self.sample.answers], empty.backbone)
        n_tokens = len(empty.backbone.architecture.embeddings.weight)
        if bool((self.sample.tokens >= n_tokens).any()):
            raise ValueError(f"documents must have tokens in 0..{n_tokens - 1}")
        longest = empty.backbone.architecture.n_positions
        if longest is not None and bool((self.sample.lengths > longest).any()):
            raise ValueError(f"documents must have at most {longest} tokens")
        if int(self.counts.counts.sum()) > N_LENGTHS * self.n_pairs:
            raise ValueError(f"{self.n_pairs} pairs cannot have so many n-grams")

    @property
    def count(self) -> float:
        """Pairs learned."""
        return float(self.n_pairs)

    @cached_property
    def weights(self) -> BackoffWeights:
        """Back-off weights of least loss on the sample, each document left out of the counts."""
        sampled = self.sample.draw(self.count)
        if not sampled:
            return BackoffWeights.prior()
        model = [self._model_probabilities(one.document) for one in sampled]
        return BackoffWeights.fit(model, [left_out_evidence(self.counts, one) for one in sampled])

    def solve(self) -> None:
        """Fit the back-off weights."""
        if self.n_pairs:
            _ = self.weights

    def read(self, logits: Tensor, contexts: Tensor) -> Tensor:
        """Mix what followed the contexts into the prediction.

        Parameters
        ----------
        logits : Tensor of shape (..., vocabulary)
        contexts : Tensor of shape (..., N_LENGTHS), int64, on the CPU
            As `hash_contexts` makes them.

        Returns
        -------
        Tensor of shape (..., vocabulary)
            Logits of the mixed prediction; those of tokens that were never learned are unchanged.
        """
        if not self.n_pairs:
            return logits
        found = self._continuations(contexts.reshape(-1, N_LENGTHS).numpy())
        return found.mix_into(logits, self._frequencies)

    def recalled(self, tokens: IntArray) -> list[Recalled]:
        """Return the learned passages that speak for the next token, the strongest first.

        Parameters
        ----------
        tokens : ndarray of shape (n,), int64
        """
        contexts = hash_contexts(tokens, 1)
        totals = self.counts.contexts.total[self.counts.find(contexts)[0]].tolist()
        found = self._continuations(contexts)
        fields = found.lengths, found.tokens, found.counts, found.probabilities
        each = zip(*(values.tolist() for values in fields), strict=True)
        passages = [
            Recalled(tuple(tokens[-length:].tolist()), token, count, totals[length], p)
            for length, token, count, p in each
        ]
        return sorted(passages, key=lambda one: -one.probability)

    def learn(self, batch: TrainingBatch) -> RecallMemory:
        """Return the memory after learning a batch."""
        documents = batch.documents()
        return replace(
            self,
            counts=self.counts.learn(_ngrams(documents)),
            sample=self.sample.learn(documents),
            n_pairs=self.n_pairs + len(batch.pairs.targets),
        )

    def forget(self, batch: TrainingBatch) -> RecallMemory:
        """Return the memory as if a batch had never been learned; raises `ForgettingError`."""
        documents = batch.documents()
        n_pairs = self.n_pairs - len(batch.pairs.targets)
        if n_pairs < 0:
            raise ForgettingError(NOT_LEARNED)
        counts, sample = self.counts.forget(_ngrams(documents)), self.sample.forget(documents)
        if not n_pairs:
            return self.empty(self.backbone)
        return replace(self, counts=counts, sample=sample, n_pairs=n_pairs)

    def merge(self, other: RecallMemory) -> RecallMemory:
        """Return a memory that has learned what both have."""
        return replace(
            self,
            counts=self.counts.merge(other.counts),
            sample=self.sample.merge(other.sample),
            n_pairs=self.n_pairs + other.n_pairs,
        )

    def head_shift(self) -> Shift | None:
        """Return None if nothing was learned; raise `FoldingError` otherwise."""
        if not self.n_pairs:
            return None
        raise FoldingError(
            "what recall counts cannot be written into the weights of a model; learn the texts "
            "into a new memory without recall (recall=False, on the command line without --recall)"
        )

    @cached_property
    def _kinds(self) -> IntArray:
        """Kind of every context, and of an unknown one."""
        listed = self.counts.contexts
        return match_kinds(listed.total, listed.distinct)

    @cached_property
    def _frequencies(self) -> Frequencies:
        """The learned tokens, which follow the empty context, and how often they did."""
        ngrams, counts = self.counts.ngrams.numpy(), self.counts.counts.numpy()
        end = np.searchsorted(context_of(ngrams), EMPTY_CONTEXT, side="right")
        return Frequencies(token_of(ngrams[:end]), counts[:end] / counts[:end].sum())

    def _continuations(self, contexts: IntArray) -> Continuations:
        """Return what followed contexts (n, N_LENGTHS)."""
        places = self.counts.find(contexts)
        shares = self.weights.shares(self._kinds[places])
        rows, lengths = np.nonzero(shares.contexts[:, 1:])
        lengths += 1
        passages = shares.contexts[rows, lengths]
        _, start, distinct, total = (
            values[places[rows, lengths]] for values in self.counts.contexts
        )
        each = np.arange(len(rows)).repeat(distinct)
        at = np.arange(len(each)) + (start + distinct - distinct.cumsum())[each]
        counts = self.counts.counts.numpy()[at]
        return Continuations(
            rows[each],
            lengths[each],
            token_of(self.counts.ngrams.numpy()[at]),
            counts,
            (passages / total)[each] * counts,
            shares.contexts[:, 0],
            shares.model,
        )

    def _model_probabilities(self, document: Document) -> FloatArray:
        """Return the probability of each learned token without recall; other memories take part."""
        tokens = document.tokens.to(self.backbone.device)
        learned = document.answers[1:].to(tokens.device)
        with torch.no_grad(), logits_as_given():
            logits = self.backbone.model(input_ids=tokens[None], use_cache=False).logits[0, :-1]
            losses = token_losses(logits, tokens[1:])[learned]
        return np.maximum(losses.double().neg().exp().cpu().numpy(), LEAST_PROBABILITY)


def _ngrams(documents: list[Document]) -> IntArray:
    """Return all n-grams of the answers of documents."""
    parts = [document_ngrams(one.tokens.numpy(), one.answers.numpy()).ravel() for one in documents]
    found = np.concatenate(parts)
    return found[found >= 0]
