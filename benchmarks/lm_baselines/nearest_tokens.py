"""kNN-LM (Khandelwal et al. 2020): every learned position is kept and looked up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

import torch
from benchmarks.lm_baselines.base import Adapted
from torch.nn import functional

from faast.lm.architecture import Backbone
from faast.lm.hooks import HEAD, Hooks

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from faast.lm.lm_head import LMHead

SEGMENT = 64


@dataclass(frozen=True)
class NearestTokens:
    """Interpolates the model's prediction with the next tokens of the nearest hidden states.

    Attributes
    ----------
    n_neighbours : int
    temperatures, shares : tuple of float
        Candidates; the latest windows choose, against a store without them.
    n_choosing : int
        Positions that choose.
    batch_size : int
        Windows at a time.
    """

    n_neighbours: int = 64
    temperatures: tuple[float, ...] = (3.0, 10.0, 30.0, 100.0)
    shares: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9)
    n_choosing: int = 4096
    batch_size: int = 8

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> Adapted:
        """Keep every position; see `Adapter`."""
        backbone = Backbone.from_model(model)
        hooks = Hooks(model, (HEAD,), lambda _point, hidden: hidden)

        def states(batch: Tensor) -> Tensor:
            return hooks.hidden_states({"input_ids": batch})[HEAD].float()

        starts = range(0, len(windows), self.batch_size)
        batches = (windows[start : start + self.batch_size] for start in starts)
        keys = torch.cat([states(batch)[:, :-1].flatten(0, 1) for batch in batches])
        store = Store(keys, windows[:, 1:].flatten())
        temperature, share = self._chosen(backbone.head, store)

        @torch.no_grad()
        def forward(input_ids: Tensor) -> SimpleNamespace:
            logits = [
                mixed(
                    backbone.head.logits(rows),
                    store.nearest(rows, self.n_neighbours),
                    temperature,
                    share,
                )
                for rows in states(input_ids)
            ]
            return SimpleNamespace(logits=torch.stack(logits))

        return Adapted(forward, store.keys.nbytes + store.tokens.nbytes)

    def _chosen(self, head: LMHead, store: Store) -> tuple[float, float]:
        n_seen = len(store.keys) - min(self.n_choosing, len(store.keys) // 5)
        seen = Store(store.keys[:n_seen], store.tokens[:n_seen])
        losses = dict.fromkeys(product(self.temperatures, self.shares), 0.0)
        for start in range(n_seen, len(store.keys), 256):
            rows, targets = (part[start : start + 256] for part in store)
            logits, near = head.logits(rows), seen.nearest(rows, self.n_neighbours)
            for pair in losses:
                log_p = mixed(logits, near, *pair)
                losses[pair] += float(functional.nll_loss(log_p, targets, reduction="sum"))
        return min(losses, key=losses.__getitem__)


class Neighbours(NamedTuple):
    """Squared distances and next tokens of the nearest keys, shape (n, k) each."""

    distances: Tensor
    tokens: Tensor


class Store(NamedTuple):
    """Keys of shape (N, d) and the tokens that followed them, shape (N,)."""

    keys: Tensor
    tokens: Tensor

    def nearest(self, rows: Tensor, k: int) -> Neighbours:
        """Return the k nearest keys of each row, exactly.

        Notes
        -----
        The k nearest lie in the k segments of smallest minimum, so that only those are sorted.
        """
        k = min(k, len(self.keys))
        distances = torch.addmm(self.keys.square().sum(1), rows, self.keys.T, alpha=-2)
        padded = functional.pad(distances, (0, -distances.shape[1] % SEGMENT), value=math.inf)
        segments = padded.view(len(rows), -1, SEGMENT)
        best = segments.amin(-1).topk(min(k, segments.shape[1]), largest=False).indices
        inside = segments.gather(1, best[..., None].expand(-1, -1, SEGMENT)).flatten(1)
        found = inside.topk(k, largest=False)
        at = best.gather(1, found.indices // SEGMENT) * SEGMENT + found.indices % SEGMENT
        return Neighbours(found.values + rows.square().sum(1, keepdim=True), self.tokens[at])


def mixed(logits: Tensor, near: Neighbours, temperature: float, share: float) -> Tensor:
    """Return log((1 - share) p + share p_near), shape (n, vocabulary)."""
    weights = (-near.distances / temperature).softmax(-1)
    p = (1.0 - share) * logits.softmax(-1)
    return p.scatter_add_(1, near.tokens, share * weights).clamp_(min=1e-30).log()
