"""The blocks of a decoder, computed once for each row of tokens.

Memories in front of the head, and most rivals, read what the same blocks make of the same windows. A
comparison on one processor need not compute it again for each of them: a remembered body keeps it, and tells
the seconds that this saved, so that the time of a method is still that of all its forward passes.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast


class RememberedBody(nn.Module):
    """Stands where a decoder was in its causal model, without a cache of keys and values.

    Hidden states are kept as they enter the final norm, behind blocks that change nothing: hooks
    behind the last block and in front of the head see what they always saw.

    Parameters
    ----------
    decoder : Module
        With `embed_tokens`, `layers` and `norm`, as Llama's and Gemma's have them.

    Attributes
    ----------
    saved_seconds : float
        What the decoder would have taken to compute the rows that were answered from memory.
    """

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        self.embed_tokens = decoder.embed_tokens
        self.layers = nn.ModuleList(nn.Identity() for _ in decoder.layers)
        self.norm = decoder.norm
        self.decoder = decoder
        self.saved_seconds = 0.0
        self._known: dict[tuple[int, ...], Tensor] = {}
        self._computed_seconds = 0.0
        self._computed_tokens = 0

    @property
    def seconds_per_token(self) -> float:
        """Processor seconds of the decoder, mean of all that it computed."""
        return self._computed_seconds / self._computed_tokens

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        past_key_values: Any = None,
        **_: Any,
    ) -> BaseModelOutputWithPast:
        """Return the last hidden states; raise ValueError for a mask or a cache."""
        if attention_mask is not None or past_key_values is not None:
            raise ValueError("a remembered body reads whole windows, without a mask or a cache")
        hidden = torch.stack([self._states(row) for row in input_ids])
        for layer in self.layers:
            hidden = layer(hidden)
        return BaseModelOutputWithPast(last_hidden_state=self.norm(hidden))

    def _states(self, row: Tensor) -> Tensor:
        """Return what enters the final norm after tokens (n,): shape (n, d)."""
        tokens = tuple(row.tolist())
        if tokens in self._known:
            self.saved_seconds += len(tokens) * self.seconds_per_token
        else:
            self._known[tokens] = self._compute(row)
        return self._known[tokens]

    @torch.no_grad()
    def _compute(self, row: Tensor) -> Tensor:
        seen: list[Tensor] = []
        handle = self.norm.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        started = time.process_time()
        try:
            self.decoder(input_ids=row[None], use_cache=False)
        finally:
            handle.remove()
        self._computed_seconds += time.process_time() - started
        self._computed_tokens += len(row)
        return seen[0][0]
