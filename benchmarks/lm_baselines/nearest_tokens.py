"""kNN-LM (Khandelwal et al. 2020): look up the next tokens of similar hidden states."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional

from benchmarks.lm_baselines.base import AdaptedModel
from faast.lm.backbone import Backbone
from faast.lm.hooks import HEAD, Hooks

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from faast.lm.lm_head import LMHead

SEGMENT = 64
"""Number of distances per segment in the search for the nearest keys."""

LEAST_PROBABILITY = 1e-30

QUERY_ROWS = 256
"""Number of hidden states that are looked up together when settings are chosen."""


@dataclass(frozen=True)
class NearestTokens:
    """Mix the model's prediction with the next tokens of the nearest hidden states.

    The hidden states in front of the head are kept for every position of the text. Temperature and
    share are chosen on its last positions, against a datastore without them.

    Attributes
    ----------
    n_neighbours : int
        Number of hidden states to look up per position.
    temperatures : tuple of float
        Candidate temperatures of the softmax over negative squared distances.
    shares : tuple of float
        Candidate shares of the looked-up tokens in the prediction.
    n_validation : int
        Number of positions to choose on, at most a fifth of the text.
    batch_size : int
        Number of windows per forward pass.
    """

    n_neighbours: int = 64
    temperatures: tuple[float, ...] = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
    shares: tuple[float, ...] = (0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9)
    n_validation: int = 4096
    batch_size: int = 8

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> AdaptedModel:
        """Build the datastore and choose temperature and share; see `AdaptationMethod`."""
        backbone = Backbone.from_model(model)
        hooks = Hooks(model, (HEAD,), lambda _point, hidden: hidden)

        def hidden_states(batch: Tensor) -> Tensor:
            return hooks.hidden_states({"input_ids": batch})[HEAD].float()

        batches = torch.split(windows, self.batch_size)
        keys = torch.cat([hidden_states(batch)[:, :-1].flatten(0, 1) for batch in batches])
        store = Datastore(keys, windows[:, 1:].flatten())
        temperature, share = self._choose_settings(backbone.head, store)

        @torch.no_grad()
        def forward(input_ids: Tensor, labels: Tensor | None = None) -> SimpleNamespace:
            if labels is not None:
                rows = hidden_states(input_ids)[:, :-1].flatten(0, 1)
                targets = labels[:, 1:].flatten()
                log_p = self._look_up(backbone.head, store, rows, targets).log_p(temperature, share)
                return SimpleNamespace(loss=-log_p.mean())
            logits = [
                mix_log_probabilities(
                    backbone.head.logits(rows),
                    store.nearest(rows, self.n_neighbours),
                    temperature,
                    share,
                )
                for rows in hidden_states(input_ids)
            ]
            return SimpleNamespace(logits=torch.stack(logits))

        return AdaptedModel(forward, store.keys.nbytes + store.tokens.nbytes)

    def _choose_settings(self, head: LMHead, store: Datastore) -> tuple[float, float]:
        """Return the temperature and share of least loss on the last positions."""
        n_train = len(store.keys) - min(self.n_validation, len(store.keys) // 5)
        train = Datastore(store.keys[:n_train], store.tokens[:n_train])
        losses = dict.fromkeys(product(self.temperatures, self.shares), 0.0)
        for start in range(n_train, len(store.keys), QUERY_ROWS):
            rows, targets = (part[start : start + QUERY_ROWS] for part in store)
            found = self._look_up(head, train, rows, targets)
            for settings in losses:
                losses[settings] -= float(found.log_p(*settings).sum())
        return min(losses, key=losses.__getitem__)

    def _look_up(
        self, head: LMHead, store: Datastore, rows: Tensor, targets: Tensor
    ) -> KnownTargets:
        """Return what head and store say of the targets (n,) of rows (n, d)."""
        p = functional.cross_entropy(head.logits(rows), targets, reduction="none").neg().exp()
        return KnownTargets(p, store.nearest(rows, self.n_neighbours), targets)


class Neighbours(NamedTuple):
    """Nearest keys of n rows.

    Attributes
    ----------
    distances : Tensor of shape (n, k)
        Squared Euclidean distances, ascending.
    tokens : Tensor of shape (n, k), int64
        Tokens that followed.
    """

    distances: Tensor
    tokens: Tensor

    def weights(self, temperature: float) -> Tensor:
        """Return what each adds to its token's probability: softmax of -distance / temperature."""
        return (-self.distances / temperature).softmax(dim=-1)


class KnownTargets(NamedTuple):
    """Tokens whose probability is asked, and nothing of the rest of the vocabulary.

    Attributes
    ----------
    p : Tensor of shape (n,)
        What the model alone gives them.
    neighbours : Neighbours
    targets : Tensor of shape (n,), int64
    """

    p: Tensor
    neighbours: Neighbours
    targets: Tensor

    def log_p(self, temperature: float, share: float) -> Tensor:
        """Return the logarithm of their mixed probability (n,); see `mix_log_probabilities`."""
        found = self.neighbours.tokens == self.targets[:, None]
        q = (self.neighbours.weights(temperature) * found).sum(dim=-1)
        return ((1.0 - share) * self.p + share * q).clamp_(min=LEAST_PROBABILITY).log()


class Datastore(NamedTuple):
    """Hidden states and the tokens that followed them.

    Attributes
    ----------
    keys : Tensor of shape (N, d)
    tokens : Tensor of shape (N,), int64
    """

    keys: Tensor
    tokens: Tensor

    def nearest(self, rows: Tensor, k: int) -> Neighbours:
        """Find the k nearest keys of each row exactly.

        Parameters
        ----------
        rows : Tensor of shape (n, d)
        k : int
            At most N keys are found.

        Notes
        -----
        The keys are divided into segments. The k nearest keys lie in the k segments with the
        smallest minimum, so only the distances in those are sorted.
        """
        k = min(k, len(self.keys))
        distances = torch.addmm(self.keys.square().sum(1), rows, self.keys.T, alpha=-2)
        padded = functional.pad(distances, (0, -distances.shape[1] % SEGMENT), value=math.inf)
        segments = padded.view(len(rows), -1, SEGMENT)
        best = segments.amin(-1).topk(min(k, segments.shape[1]), largest=False).indices
        candidates = segments.gather(1, best[..., None].expand(-1, -1, SEGMENT)).flatten(1)
        found = candidates.topk(k, largest=False)
        indices = best.gather(1, found.indices // SEGMENT) * SEGMENT + found.indices % SEGMENT
        return Neighbours(found.values + rows.square().sum(1, keepdim=True), self.tokens[indices])


def mix_log_probabilities(
    logits: Tensor, neighbours: Neighbours, temperature: float, share: float
) -> Tensor:
    """Mix two predictions: log((1 - share) p + share p_neighbours).

    Parameters
    ----------
    logits : Tensor of shape (n, vocabulary)
        Logits of the model's prediction p.
    neighbours : Neighbours
        Each adds its weight to its token's probability.
    temperature : float
    share : float

    Returns
    -------
    Tensor of shape (n, vocabulary)
    """
    p = (1.0 - share) * logits.softmax(-1)
    p.scatter_add_(1, neighbours.tokens, share * neighbours.weights(temperature))
    return p.clamp_(min=LEAST_PROBABILITY).log()
