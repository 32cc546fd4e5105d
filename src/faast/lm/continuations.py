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
    tokens : ndarray of shape (k,), int64
        In ascending order.
    shares : ndarray of shape (k,)
        Share of each among all.
    """

    tokens: IntArray
    shares: FloatArray


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
        that only those of the tokens in q change, which were all learned: by the log of
        1 + q / (s p).
        """
        tokens = torch.from_numpy(frequencies.tokens).to(logits.device)
        log_odds = torch.from_numpy(self._odds(frequencies)).to(logits.device).log()  # of 0 too
        log_totals = logits.float().logsumexp(dim=-1).view(-1, 1)
        mixed = logits.clone(memory_format=torch.contiguous_format)
        flat = mixed.view(-1, logits.shape[-1])
        after = torch.logaddexp(flat.index_select(1, tokens).float(), log_odds + log_totals)
        flat.index_copy_(1, tokens, after.to(logits.dtype))
        return mixed

    def _odds(self, frequencies: Frequencies) -> FloatArray:
        """Return q / s of every learned token, shape (n, k), float32."""
        each = self.frequency_shares / self.model_shares
        odds = np.multiply.outer(each.astype(np.float32), frequencies.shares.astype(np.float32))
        places = self.rows * len(frequencies.tokens) + frequencies.tokens.searchsorted(self.tokens)
        np.add.at(odds.reshape(-1), places, self.probabilities / self.model_shares[self.rows])
        return odds
