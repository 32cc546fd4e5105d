"""Perplexity of a text in windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from faast.lm.documents import cut_windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@torch.no_grad()
def perplexity(
    model: Callable[..., Any], tokens: Tensor, window: int = 1024, batch_size: int = 8
) -> float:
    """Perplexity of a text, cut into windows that do not overlap.

    Parameters
    ----------
    model : callable
        A causal language model with or without memories.
    tokens : Tensor of shape (n,)
        The text. What does not fill a window is left out; the first token of each window is not
        predicted.
    window : int
    batch_size : int
        Windows at a time.

    Raises
    ------
    ValueError
        A window of less than two tokens, or less text than one window.
    """
    windows = cut_windows(tokens, window)
    total = 0.0
    for start in range(0, len(windows), batch_size):
        batch = windows[start : start + batch_size]
        logits = model(input_ids=batch).logits[:, :-1].float()
        total += float(
            functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten(), reduction="sum")
        )
    return math.exp(total / (len(windows) * (window - 1)))
