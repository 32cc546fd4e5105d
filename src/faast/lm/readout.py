"""Readouts: the trained part of a middle memory (paper mode)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils import skip_init


class Readout(nn.Module):
    """Weighs the values of a middle memory and projects what is read from it.

    Parameters
    ----------
    hidden_size : int
        d.
    dropout : float
        On the projected read, while training.

    Notes
    -----
    FAAST (arXiv 2605.04651): values are multiplied by sigmoid(scorer([key; value])), reads are
    h + out_proj(W h). `out_proj` starts at zero, so that an untrained readout changes nothing.
    """

    def __init__(self, hidden_size: int, dropout: float) -> None:
        super().__init__()
        # not initialised at random: that would draw from the global generator
        self.scorer = skip_init(nn.Linear, 2 * hidden_size, 1, bias=False)  # type: ignore[no-untyped-call]
        self.out_proj = skip_init(nn.Linear, hidden_size, hidden_size, bias=False)  # type: ignore[no-untyped-call]
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.scorer.weight)
        nn.init.zeros_(self.out_proj.weight)

    def weigh(self, keys: Tensor, values: Tensor) -> Tensor:
        """Weigh values (n, d) by how much their pairs matter."""
        size = keys.shape[-1]
        weight = self.scorer.weight[0]
        # the two halves apart, so that [key; value] is never built
        scores = keys.to(weight.dtype) @ weight[:size] + values.to(weight.dtype) @ weight[size:]
        weights: Tensor = scores.sigmoid().to(values.dtype)
        return values * weights[:, None]

    def read(self, hidden: Tensor, weights: Tensor) -> Tensor:
        """Add the projected read to hidden states (..., d), with weights (d, d)."""
        read = self.out_proj((hidden.to(weights.dtype) @ weights).to(self.out_proj.weight.dtype))
        dropped: Tensor = self.dropout(read)
        return hidden + dropped.to(hidden.dtype)
