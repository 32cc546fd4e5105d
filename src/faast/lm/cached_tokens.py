"""The tokens behind a cache of keys and values, kept with it from call to call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache

if TYPE_CHECKING:
    from faast.lm.model_call import ModelCall

TOKENS = "faast_tokens"
"""Attribute of a cache: its tokens, shape (batch, length). A copy of a cache has them too."""


def continue_sequences(call: ModelCall, output: Any, known: Tensor) -> Tensor:
    """Put the tokens of a call's cache in front of what is known, and keep all with the cache.

    Parameters
    ----------
    call : ModelCall
    output : ModelOutput or tuple
        What the model returned.
    known : Tensor of shape (batch, n)
        Tokens that end in those of the call.

    Returns
    -------
    Tensor of shape (batch, m)
        All tokens, or those that are known where the cache was filled without memories.
    """
    cache = _find_cache(call, output)
    if cache is None:
        return known
    length = _length(cache)
    n_missing = length - known.shape[1]
    before = getattr(cache, TOKENS, None)
    if n_missing > 0 and before is not None and len(before) == len(known):
        known = torch.cat([before[:, :n_missing], known], dim=1)
    setattr(cache, TOKENS, known if known.shape[1] >= length else None)
    return known


def _find_cache(call: ModelCall, output: Any) -> Cache | None:
    values = output if isinstance(output, tuple) else output.values()
    found = (call.arguments.get("past_key_values"), *values)
    return next((value for value in found if isinstance(value, Cache)), None)


def _length(cache: Cache) -> int:
    try:
        return int(cache.get_seq_length())
    except ValueError:  # none of its layers is one of attention, so that none counts
        return 0
