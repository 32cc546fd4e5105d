"""The output embeddings (LM head) in closed form: logits, loss, its gradient and its curvature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from faast.lm.exceptions import UnsupportedModelError
from faast.lm.offloading import fetch_parameter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel

CHUNK_LOGITS, CHUNK_ROWS = 2**21, 32
"""Rows are processed in chunks of about so many logits, which fit into a processor's cache (8 MB),
but of at least so many rows where they are multiplied by E: with fewer, reading it takes longer."""
CACHED_LOGITS = 2**20
"""Exponentials of so many logits are computed together, so that they stay in the cache."""

ROUNDING_STEPS = 8
"""Four times the largest rounding error that was seen in the curvature, in units of the float32
precision of its diagonal part; adding it keeps the curvature positive definite."""


class Derivatives(NamedTuple):
    """Derivatives of the log-likelihood with respect to the rows that enter the head.

    Attributes
    ----------
    gradients : Tensor of shape (n, d), float32
        Gradient per row.
    curvature : Tensor of shape (d, d), float32
        Fisher information with respect to a row, summed over the rows.
    """

    gradients: Tensor
    curvature: Tensor


@dataclass(frozen=True)
class LMHead:
    """Logits z = cap tanh(scale (h Eᵀ + b) / cap) + o of hidden states h, as the model has them.

    Attributes
    ----------
    module : Linear
        Holds E of shape (vocabulary, d), and b where the model has a bias.
    scale : float
        Factor on the raw logits (Cohere, Granite, Falcon-H1).
    cap : float or None
        Soft cap on the logits (Gemma).
    offset : Tensor of shape (vocabulary,), optional
        o: logarithm of the number of tokens that each one stands for, in a head of some of the
        tokens (`sample_vocabulary`).
    """

    module: nn.Linear
    scale: float = 1.0
    cap: float | None = None
    offset: Tensor | None = None

    @classmethod
    def from_model(cls, model: PreTrainedModel, module: nn.Linear) -> LMHead:
        """Read scale and soft cap from a model's configuration.

        Parameters
        ----------
        model : PreTrainedModel
        module : Linear
            Its output embeddings.
        """
        config = model.config.get_text_config(decoder=True)
        scale = 1.0
        for name in ("logit_scale", "lm_head_multiplier"):
            scale *= float(getattr(config, name, None) or 1.0)
        scale /= float(getattr(config, "logits_scaling", None) or 1.0)
        cap = getattr(config, "final_logit_softcapping", None)
        return cls(module, scale, float(cap) if cap else None)

    @property
    def weight(self) -> Tensor:
        """Output embeddings E, shape (vocabulary, d)."""
        return fetch_parameter(self.module)

    @property
    def bias(self) -> Tensor | None:
        """Bias b of the raw logits, shape (vocabulary,), or None."""
        bias = getattr(self.module, "bias", None)
        return fetch_parameter(self.module, "bias") if isinstance(bias, Tensor) else None

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return int(self.module.weight.shape[0])

    @property
    def width(self) -> int:
        """Width d of the rows that enter the head."""
        return int(self.module.weight.shape[1])

    def logits(self, rows: Tensor) -> Tensor:
        """Return the logits of rows (n, d): shape (n, vocabulary), float32."""
        return self._shift(self._scale_and_cap(self._raw_logits(rows)))

    def chunks(self, n_rows: int) -> Iterator[slice]:
        """Cut rows into slices to process one after another."""
        size = max(CHUNK_ROWS, CHUNK_LOGITS // self.vocabulary)
        return (slice(start, start + size) for start in range(0, n_rows, size))

    def loss(self, rows: Tensor, targets: Tensor) -> float:
        """Sum the negative log-likelihood of tokens (n,) after rows (n, d)."""
        return sum(
            float(functional.cross_entropy(self.logits(rows[at]), targets[at], reduction="sum"))
            for at in self.chunks(len(rows))
        )

    def line_losses(
        self, rows: Tensor, direction: Tensor, targets: Tensor, steps: list[float]
    ) -> list[float]:
        """Sum the negative log-likelihood at rows + step · direction, for every step.

        Raw logits are linear in the rows, so any number of steps costs two products with E.

        Parameters
        ----------
        rows, direction : Tensor of shape (n, d)
        targets : Tensor of shape (n,), int64
        steps : list of float
        """
        totals = [0.0] * len(steps)
        for at in self.chunks(len(rows)):
            start = self._raw_logits(rows[at])
            slope = functional.linear(direction[at].to(self.weight.dtype), self.weight).float()
            for index, step in enumerate(steps):
                raw = torch.add(start, slope, alpha=step) if step else start
                logits = self._shift(self._scale_and_cap(raw))
                totals[index] += float(
                    functional.cross_entropy(logits, targets[at], reduction="sum")
                )
        return totals

    def derivatives(self, rows: Tensor, targets: Tensor) -> Derivatives:
        """Differentiate the log-likelihood of tokens (n,) with respect to rows (n, d).

        Notes
        -----
        With p the predicted probabilities and J = dz/draw (1, or scale (1 - (z/cap)²) elementwise),
        the gradient of a row is (J ⊙ (e_y - p)) E, and its Fisher information is
        Eᵀ (J diag(p) J - (J p)(J p)ᵀ) E. The diagonal part is summed over the rows before it is
        multiplied by E.
        """
        weight = self.weight
        gradients = torch.empty(len(rows), self.width, device=rows.device)
        diagonal = torch.zeros(self.vocabulary, device=rows.device)
        outer = torch.zeros(self.width, self.width, device=rows.device)
        for at in self.chunks(len(rows)):
            logits = self._scale_and_cap(self._raw_logits(rows[at]))
            p = self._shift(logits).softmax(dim=-1)
            slope = self._slope(logits)
            sloped = p if slope is None else p * slope
            diagonal += (sloped if slope is None else sloped * slope).sum(0)
            mean = (sloped.to(weight.dtype) @ weight).float()
            outer += mean.T @ mean
            at_target = 1.0 if slope is None else slope.gather(1, targets[at, None])
            gradients[at] = at_target * weight[targets[at]].float() - mean
        curvature = self._weighted_gram(diagonal)
        rounding = ROUNDING_STEPS * torch.finfo(torch.float32).eps * curvature.trace()
        curvature -= outer
        curvature.diagonal().add_(rounding)  # all that is left where predictions are certain
        return Derivatives(gradients, curvature)

    def check(self, rows: Tensor, logits: Tensor) -> None:
        """Check that `logits` gives what the model gave.

        Parameters
        ----------
        rows : Tensor of shape (n, d)
            What entered the model's head.
        logits : Tensor of shape (n, vocabulary)
            What the model made of it.

        Raises
        ------
        UnsupportedModelError
            The model transforms its logits in another way.
        """
        if not logits_agree(self.logits(rows), logits):
            raise UnsupportedModelError(
                "the model transforms its logits in a way that this library does not know, so a "
                'natural memory cannot learn through its head; use output="pseudoinverse"'
            )

    def _raw_logits(self, rows: Tensor) -> Tensor:
        """Return h Eᵀ + b, float32."""
        return functional.linear(rows.to(self.weight.dtype), self.weight, self.bias).float()

    def _scale_and_cap(self, raw: Tensor) -> Tensor:
        raw = raw if self.scale == 1.0 else raw * self.scale
        return raw if self.cap is None else torch.tanh(raw / self.cap) * self.cap

    def _shift(self, logits: Tensor) -> Tensor:
        return logits if self.offset is None else logits + self.offset

    def _slope(self, logits: Tensor) -> Tensor | None:
        """Return J, the derivative of logits (without o) by raw logits; None where it is 1."""
        if self.cap is None:
            return None if self.scale == 1.0 else torch.full_like(logits, self.scale)
        return (1.0 - (logits / self.cap) ** 2) * self.scale

    def _weighted_gram(self, weights: Tensor) -> Tensor:
        """Return Eᵀ diag(weights) E in float32, from slices of the vocabulary."""
        embeddings = self.weight
        size = max(1, CHUNK_LOGITS // self.width)
        total = torch.zeros(self.width, self.width, device=weights.device)
        for start in range(0, self.vocabulary, size):
            part = embeddings[start : start + size].float()
            total += part.T @ (part * weights[start : start + size, None])
        return total


def token_losses(logits: Tensor, tokens: Tensor) -> Tensor:
    """Return the negative log-likelihood of tokens, shape (n,), float32.

    Parameters
    ----------
    logits : Tensor of shape (n, vocabulary)
    tokens : Tensor of shape (n,), int64
    """
    size = max(1, CACHED_LOGITS // logits.shape[-1])
    parts = zip(torch.split(logits, size), torch.split(tokens, size), strict=True)
    losses = [functional.cross_entropy(z.float(), y, reduction="none") for z, y in parts]
    return torch.cat(losses)


def logits_agree(expected: Tensor, found: Tensor) -> bool:
    """Return whether logits of a model are, but for the rounding of its numbers, those expected."""
    if expected.shape != found.shape:
        return False
    tolerance = 1e-3 if found.dtype == torch.float32 else 5e-2
    size = float(expected.abs().max()) + 1e-6
    return float((expected - found.float()).abs().max()) <= tolerance * size
