"""The output embeddings in closed form: logits, likelihood, its gradient and its curvature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from faast.lm.exceptions import UnsupportedModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel

CHUNK_LOGITS = 2**23
"""Logits held at once in float32 (32 MB): no tokens x vocabulary beyond a chunk."""


class Statistics(NamedTuple):
    """What a block of rows says about the likelihood, summed over the rows.

    Attributes
    ----------
    gradients : Tensor of shape (n, d)
        Of each row's log-likelihood, with respect to the row that feeds the head.
    curvature : Tensor of shape (d, d)
        Sum of the Fisher information of the logits seen through the output embeddings.
    loss : float
        Sum of the negative log-likelihood.
    """

    gradients: Tensor
    curvature: Tensor
    loss: float


@dataclass(frozen=True)
class OutputHead:
    """Logits z = cap tanh(scale (h Eᵀ + b) / cap), as the model makes them.

    Attributes
    ----------
    module : Linear
        Holds E, shape (vocabulary, d), and perhaps b.
    scale : float
        What the model multiplies its raw logits by (Cohere, Granite, Falcon-H1).
    cap : float or None
        The model's soft cap on its logits (Gemma).
    """

    module: nn.Linear
    scale: float = 1.0
    cap: float | None = None

    @property
    def weight(self) -> Tensor:
        """Output embeddings E, shape (vocabulary, d)."""
        weight = self.module.weight
        if not weight.is_floating_point():
            raise UnsupportedModelError(
                "the output embeddings are quantised; a natural memory needs them in floating point"
            )
        return weight.detach()

    @property
    def bias(self) -> Tensor | None:
        """Bias b of the raw logits, shape (vocabulary,), or None."""
        bias = getattr(self.module, "bias", None)
        return bias.detach() if isinstance(bias, Tensor) else None

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return int(self.weight.shape[0])

    def raw_logits(self, rows: Tensor) -> Tensor:
        """Logits before scale and cap, float32, shape (n, vocabulary)."""
        return functional.linear(rows.to(self.weight.dtype), self.weight, self.bias).float()

    def finish(self, raw: Tensor) -> Tensor:
        """Scale and cap raw logits."""
        raw = raw if self.scale == 1.0 else raw * self.scale
        return raw if self.cap is None else torch.tanh(raw / self.cap) * self.cap

    def logits(self, rows: Tensor) -> Tensor:
        """Logits of rows that feed the head, float32, shape (n, vocabulary)."""
        return self.finish(self.raw_logits(rows))

    def chunks(self, n_rows: int) -> Iterator[slice]:
        """Cut rows so that one chunk's logits stay small."""
        size = max(1, CHUNK_LOGITS // self.vocabulary)
        return (slice(start, start + size) for start in range(0, n_rows, size))

    def loss(self, rows: Tensor, targets: Tensor) -> float:
        """Sum of the negative log-likelihood of `targets`, chunk by chunk."""
        return sum(
            float(functional.cross_entropy(self.logits(rows[at]), targets[at], reduction="sum"))
            for at in self.chunks(len(rows))
        )

    def line_losses(
        self, rows: Tensor, direction: Tensor, targets: Tensor, steps: list[float]
    ) -> list[float]:
        """Sum of the negative log-likelihood at rows + step · direction, for every step.

        Raw logits are linear in the rows, so that any number of steps costs two products.
        """
        totals = [0.0] * len(steps)
        for at in self.chunks(len(rows)):
            start = self.raw_logits(rows[at])
            slope = functional.linear(direction[at].to(self.weight.dtype), self.weight).float()
            for index, step in enumerate(steps):
                logits = self.finish(torch.add(start, slope, alpha=step) if step else start)
                totals[index] += float(
                    functional.cross_entropy(logits, targets[at], reduction="sum")
                )
        return totals

    def statistics(self, rows: Tensor, targets: Tensor) -> Statistics:
        """Gradient, curvature and loss of the log-likelihood.

        Notes
        -----
        With p the model's prediction and J = dz/draw (1, or scale (1 - (z/cap)²) elementwise):
        gradient of a row: (J ⊙ (e_y − p)) E; curvature: Eᵀ (J diag(p) J − (J p)(J p)ᵀ) E, of
        which the first part is summed over rows before it meets E.
        """
        weight = self.weight
        gradients = torch.empty(len(rows), weight.shape[1], device=rows.device)
        seen = torch.zeros(weight.shape[0], device=rows.device)
        outer = torch.zeros(weight.shape[1], weight.shape[1], device=rows.device)
        loss = 0.0
        for at in self.chunks(len(rows)):
            logits, chosen = self.logits(rows[at]), targets[at, None]
            log_p = functional.log_softmax(logits, dim=-1)
            loss -= float(log_p.gather(1, chosen).sum())
            p = log_p.exp_()
            slope = self._slope(logits)
            reach = p if slope is None else p * slope
            seen += (reach if slope is None else reach * slope).sum(0)
            mean = (reach.to(weight.dtype) @ weight).float()
            outer += mean.T @ mean
            at_target = 1.0 if slope is None else slope.gather(1, chosen)
            gradients[at] = at_target * weight[targets[at]].float() - mean
        return Statistics(gradients, self._weighted_gram(seen) - outer, loss)

    def _slope(self, logits: Tensor) -> Tensor | None:
        """J: derivative of the logits with respect to the raw ones; None where it is one."""
        if self.cap is None:
            return None if self.scale == 1.0 else torch.full_like(logits, self.scale)
        return (1.0 - (logits / self.cap) ** 2) * self.scale

    def _weighted_gram(self, weights: Tensor) -> Tensor:
        """Eᵀ diag(weights) E in float32, over slices of the vocabulary."""
        size = max(1, CHUNK_LOGITS // self.weight.shape[1])
        total = torch.zeros(self.weight.shape[1], self.weight.shape[1], device=weights.device)
        for start in range(0, self.vocabulary, size):
            part = self.weight[start : start + size].float()
            total += part.T @ (part * weights[start : start + size, None])
        return total


def output_head(model: PreTrainedModel, head: nn.Linear) -> OutputHead:
    """Describe the head of a model, its logit scale and soft cap read from the configuration."""
    config = model.config.get_text_config(decoder=True)
    scale = 1.0
    for name in ("logit_scale", "lm_head_multiplier"):
        scale *= float(getattr(config, name, None) or 1.0)
    scale /= float(getattr(config, "logits_scaling", None) or 1.0)
    cap = getattr(config, "final_logit_softcapping", None)
    return OutputHead(head, scale, float(cap) if cap else None)


def require_known_head(head: OutputHead, fed: Tensor, logits: Tensor) -> None:
    """Check that the head's closed form gives the logits that the model gave.

    Raises
    ------
    UnsupportedModelError
        The model does something else to its logits.
    """
    ours, theirs = head.logits(fed), logits.float()
    size = float(theirs.abs().max()) + 1e-6
    tolerance = 1e-3 if logits.dtype == torch.float32 else 5e-2
    if ours.shape != theirs.shape or float((ours - theirs).abs().max()) > tolerance * size:
        raise UnsupportedModelError(
            "the model transforms its logits in a way this library does not know, so it cannot "
            'learn through its head; use output="pseudoinverse"'
        )
