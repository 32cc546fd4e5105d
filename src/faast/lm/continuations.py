"""What followed the last tokens where they were learned, and a prediction mixed with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from faast._utils.arrays import FloatArray, IntArray


class Frequencies(NamedTuple):
    """The tokens that were learned, and how often.

    Attributes
    ----------
    tokens : Tensor of shape (k,), int64
    log_shares : Tensor of shape (k,), float32
        Logarithm of the share of each among all.
    """

    tokens: Tensor
    log_shares: Tensor


class Continuations(NamedTuple):
    """Tokens that followed known contexts, and what they add to n predictions.

    Attributes
    ----------
    rows, lengths : ndarray of shape (m,), int64
        Where the prediction is, and the length of the context: at least 1.
    tokens, counts : ndarray of shape (m,), int64
    probabilities : ndarray of shape (m,)
    frequency_shares, model_shares : ndarray of shape (n,)
        Share in each prediction of how often tokens were learned, and of the model's own.
    """

    rows: IntArray
    lengths: IntArray
    tokens: IntArray
    counts: IntArray
    probabilities: FloatArray
    frequency_shares: FloatArray
    model_shares: FloatArray

    def mix_into(self, logits: Tensor, frequencies: Frequencies) -> Tensor:
        """Return the logits (..., vocabulary) of n mixed predictions.

        Notes
        -----
        With p the model's prediction and s its share, p becomes s p + q. Logits may be shifted, so
        that only those of the tokens in q change: by the log of 1 + q / (s p).
        """
        device, size = logits.device, logits.shape[-1]
        log_totals = logits.float().logsumexp(dim=-1)
        mixed = logits.clone(memory_format=torch.contiguous_format).view(-1, size)

        if len(frequencies.tokens):
            tokens, log_shares = (part.to(device) for part in frequencies)
            log_odds = _log(self.frequency_shares / self.model_shares, device)
            gains = (log_totals.reshape(-1) + log_odds)[:, None] + log_shares
            after = torch.logaddexp(mixed.index_select(1, tokens).float(), gains)
            mixed.index_copy_(1, tokens, after.to(mixed.dtype))
        if len(self.rows):
            keys, odds = _sum_by_key(
                self.rows * size + self.tokens, self.probabilities / self.model_shares[self.rows]
            )
            at, rows = (torch.from_numpy(part).to(device) for part in (keys, keys // size))
            gains = log_totals.reshape(-1).index_select(0, rows) + _log(odds, device)
            flat = mixed.view(-1)
            after = torch.logaddexp(flat.index_select(0, at).float(), gains)
            flat.index_copy_(0, at, after.to(mixed.dtype))
        return mixed.view(logits.shape)


def _log(values: FloatArray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.log(values).astype(np.float32)).to(device)


def _sum_by_key(keys: IntArray, values: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the different keys (n,), at least one, in ascending order, and their summed values."""
    order = keys.argsort()
    keys = keys[order]
    first = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    return keys[starts], np.add.reduceat(values[order], starts)
