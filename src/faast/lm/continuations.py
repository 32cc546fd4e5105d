"""What followed the last tokens where they were learned, and a prediction mixed with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from faast._utils.arrays import FloatArray, IntArray


class Continuations(NamedTuple):
    """Tokens that followed known contexts, and what they add to n predictions.

    Attributes
    ----------
    rows, orders : ndarray of shape (m,), int64
        Where the prediction is, and the length of the context less one.
    tokens, counts : ndarray of shape (m,), int64
    probabilities : ndarray of shape (m,)
    model_shares : ndarray of shape (n,)
        Share of the model's own prediction in each.
    """

    rows: IntArray
    orders: IntArray
    tokens: IntArray
    counts: IntArray
    probabilities: FloatArray
    model_shares: FloatArray

    def mix_into(self, logits: Tensor) -> Tensor:
        """Return the logits (..., vocabulary) of n mixed predictions.

        Notes
        -----
        With p the model's prediction and s its share, p becomes s p + q. Logits may be shifted, so
        that only those of the tokens in q change: by the log of 1 + q / (s p).
        """
        if not len(self.rows):
            return logits
        device, size = logits.device, logits.shape[-1]
        keys, odds = _sum_by_key(
            self.rows * size + self.tokens, self.probabilities / self.model_shares[self.rows]
        )
        at = torch.from_numpy(keys).to(device)
        gains = torch.from_numpy(np.log(odds).astype(np.float32)).to(device)
        before = logits.log_softmax(dim=-1, dtype=torch.float32).take(at)
        changes = torch.logaddexp(before, gains) - before
        mixed = logits.clone(memory_format=torch.contiguous_format)
        mixed.view(-1).index_add_(0, at, changes.to(mixed.dtype))
        return mixed


def _sum_by_key(keys: IntArray, values: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the different keys (n,), at least one, in ascending order, and their summed values."""
    order = keys.argsort()
    keys = keys[order]
    first = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    return keys[starts], np.add.reduceat(values[order], starts)
