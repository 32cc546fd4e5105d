"""Softmax and its loss, in the precision of the logits."""

from __future__ import annotations

import numpy as np

from faast._typing import AnyArray
from faast.stream import Examples


def loss(logits: AnyArray, rows: Examples) -> float:
    """Weighted mean negative log-likelihood."""
    top = logits.max(axis=1)
    mass = np.exp(logits - top[:, None]).sum(axis=1)
    own = logits[np.arange(len(logits)), rows.codes]
    return float(rows.weights @ (np.log(mass) + top - own) / rows.weights.sum())


def probabilities(logits: AnyArray) -> AnyArray:
    """Softmax of each row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
