"""Next-token pairs: which positions teach, and the tokens that they teach."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Pairs(NamedTuple):
    """Positions t of a batch whose next token is learned.

    Attributes
    ----------
    taught : Tensor of shape (batch, length - 1), bool
        Whether position t teaches token t + 1.
    targets : Tensor of shape (n,)
        The next tokens of the taught positions, in row-major order.
    """

    taught: Tensor
    targets: Tensor

    def keys(self, hidden: Tensor) -> Tensor:
        """Hidden states of the taught positions: (batch, length, d) to (n, d)."""
        return hidden[:, :-1][self.taught.to(hidden.device)]

    def values(self, hidden: Tensor) -> Tensor:
        """Hidden states one position later: (batch, length, d) to (n, d)."""
        return hidden[:, 1:][self.taught.to(hidden.device)]


def next_token_pairs(
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    answer_mask: Tensor | None = None,
    document_ids: Tensor | None = None,
) -> Pairs:
    """Pair each real token with the next real one of its document.

    Parameters
    ----------
    input_ids : Tensor of shape (batch, length), integer
    attention_mask : Tensor of shape (batch, length), optional
        Non-zero where a token is real.
    answer_mask : Tensor of shape (batch, length), optional
        Non-zero where a token is an answer: only answers are learned, whatever precedes them.
    document_ids : Tensor of shape (batch, length), optional
        Which document of its row each token belongs to.

    Raises
    ------
    TypeError
        A mask that is no tensor.
    ValueError
        Shapes that differ, or nothing left to learn.
    """
    if input_ids.ndim != 2 or input_ids.shape[1] < 2:
        raise ValueError(
            "input_ids must have shape (batch, length) with at least two tokens a row, got "
            f"{tuple(input_ids.shape)}"
        )
    real = _like("attention_mask", attention_mask, input_ids).bool()
    answer = _like("answer_mask", answer_mask, input_ids).bool()
    document = _like("document_ids", document_ids, input_ids)
    alike = document[:, :-1] == document[:, 1:]
    taught = real[:, :-1] & real[:, 1:] & answer[:, 1:] & alike
    if not bool(taught.any()):
        raise ValueError(
            "there is no token to learn: no position has a real next token, of its document, that "
            "the answer_mask selects; set answer_mask to 1 on the tokens of the answers themselves"
        )
    return Pairs(taught, input_ids[:, 1:][taught])


def _like(name: str, given: Tensor | None, input_ids: Tensor) -> Tensor:
    """Return what was given for every token; ones where nothing was."""
    if given is None:
        return torch.ones_like(input_ids)
    if not isinstance(given, Tensor):
        raise TypeError(f"{name} must be a tensor like input_ids, got {type(given).__name__}")
    if given.shape != input_ids.shape:
        raise ValueError(
            f"{name} must have the shape of input_ids, {tuple(input_ids.shape)}, got "
            f"{tuple(given.shape)}"
        )
    return given.to(input_ids.device)
