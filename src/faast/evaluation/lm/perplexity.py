"""Measure the perplexity of a language model on a text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from faast.lm.documents import cut_windows
from faast.lm.lm_head import token_losses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor

    from faast.lm.batch import Document


@torch.no_grad()
def perplexity(
    model: Callable[..., Any], tokens: Tensor, window: int = 1024, batch_size: int = 8
) -> float:
    """Return the exponential of the mean loss per token, over windows that do not overlap.

    Parameters
    ----------
    model : callable
        ``model(input_ids=...)`` returns an object with ``logits``, as causal language models do.
    tokens : Tensor of shape (n,), integer
        The text. Tokens at the end that do not fill a window are left out, and the first token of
        each window is not predicted.
    window : int
        Number of tokens per window.
    batch_size : int
        Number of windows per forward pass.

    Raises
    ------
    ValueError
        If the text does not fill a window, or if a window has fewer than two tokens.
    """
    windows = cut_windows(tokens, window)
    total = 0.0
    for batch in torch.split(windows, batch_size):
        logits = model(input_ids=batch).logits[:, :-1]
        total += float(token_losses(logits.flatten(0, 1), batch[:, 1:].flatten()).sum())
    return math.exp(total / (len(windows) * (window - 1)))


@torch.no_grad()
def answer_perplexity(model: Callable[..., Any], documents: Iterable[Document]) -> float:
    """Return the exponential of the mean loss per answer token, over documents read one by one.

    Parameters
    ----------
    model : callable
        See `perplexity`.
    documents : iterable of Document
        Of at most as many tokens as the model reads, with an answer behind the first token.
    """
    total, n_tokens = 0.0, 0
    for tokens, answers in documents:
        logits = model(input_ids=tokens[None]).logits[0, :-1]
        learned = answers[1:]
        total += float(token_losses(logits, tokens[1:])[learned].sum())
        n_tokens += int(learned.sum())
    return math.exp(total / n_tokens)
