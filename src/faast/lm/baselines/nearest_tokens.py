"""kNN-LM (Khandelwal et al. 2020): every learned position is kept and looked up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from faast.lm.attachment import HEAD, Attachment
from faast.lm.backbone import Backbone
from faast.lm.baselines.base import Adapted

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class NearestTokens:
    """Interpolates the model's prediction with the next tokens of the nearest hidden states.

    Attributes
    ----------
    n_neighbours : int
    temperatures, shares : tuple of float
        Candidates; a tenth of the windows chooses.
    batch_size : int
        Windows at a time.
    """

    n_neighbours: int = 64
    temperatures: tuple[float, ...] = (3.0, 10.0, 30.0)
    shares: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5)
    batch_size: int = 8

    def __call__(self, model: PreTrainedModel, windows: Tensor) -> Adapted:
        """Keep every position; see `Adapter`."""
        backbone = Backbone.of(model)
        attachment = Attachment(backbone.anatomy, (HEAD,), lambda _place, hidden: hidden)
        held = windows[-max(1, len(windows) // 10) :]
        keys, tokens = self._keys(model, attachment, windows)
        seen = len(windows) - len(held)
        length = windows.shape[1] - 1
        train = keys[: seen * length], tokens[: seen * length]

        def predict(store: tuple[Tensor, Tensor], hidden: Tensor, t: float, share: float) -> Tensor:
            log_p = backbone.head.logits(hidden).log_softmax(-1)
            if not share:
                return log_p
            near = self._neighbours(store, hidden, t, backbone.head.vocabulary)
            return torch.logaddexp(log_p + math.log1p(-share), near.log() + math.log(share))

        rows, targets = keys[seen * length :], tokens[seen * length :]
        losses = {
            (t, share): sum(
                float(functional.nll_loss(predict(train, rows[at], t, share), targets[at]))
                for at in (slice(i, i + 1024) for i in range(0, len(rows), 1024))
            )
            for t, share in product(self.temperatures, self.shares)
        }
        temperature, share = min(losses, key=losses.__getitem__)

        @torch.no_grad()
        def forward(input_ids: Tensor) -> SimpleNamespace:
            hidden = attachment.hidden_states(model, {"input_ids": input_ids})[HEAD].float()
            logits = [predict((keys, tokens), row, temperature, share) for row in hidden]
            return SimpleNamespace(logits=torch.stack(logits))

        return Adapted(forward, keys.nbytes + tokens.nbytes)

    def _keys(
        self, model: PreTrainedModel, attachment: Attachment, windows: Tensor
    ) -> tuple[Tensor, Tensor]:
        keys = []
        for start in range(0, len(windows), self.batch_size):
            batch = windows[start : start + self.batch_size]
            states = attachment.hidden_states(model, {"input_ids": batch})
            keys.append(states[HEAD][:, :-1].flatten(0, 1).float())
        return torch.cat(keys), windows[:, 1:].flatten()

    def _neighbours(
        self, store: tuple[Tensor, Tensor], rows: Tensor, temperature: float, vocabulary: int
    ) -> Tensor:
        keys, tokens = store
        distances = keys.square().sum(1) - 2 * rows @ keys.T
        nearest = distances.topk(self.n_neighbours, largest=False)
        weights = (-nearest.values / temperature).softmax(-1)
        p = torch.zeros(len(rows), vocabulary, device=rows.device)
        return p.scatter_add_(1, tokens[nearest.indices], weights).clamp_(min=1e-12)
