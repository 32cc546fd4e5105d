"""Encode batches of rows, and collect them until there are enough to learn at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray
from faast.data import Batch

LEARN_ROWS = 8192
"""Rows to learn at once: merging their sums into a model costs as much as summing this many."""


def encode_batches(
    batches: Iterable[Batch], encode: Callable[[Sequence[Any]], AnyArray]
) -> Iterator[tuple[AnyArray, list[Hashable]]]:
    """Encode batches one by one, and yield about `LEARN_ROWS` rows at a time.

    Parameters
    ----------
    batches : iterable of Batch
        Batches with labels.
    encode : callable
        Takes the rows of a batch and returns features of shape (n, d).

    Yields
    ------
    features : ndarray of shape (n, d)
    labels : list of n labels
    """
    features: list[AnyArray] = []
    labels: list[Hashable] = []
    for batch in batches:
        features.append(encode(batch.rows))
        labels += batch.labels or []
        if len(labels) >= LEARN_ROWS:
            yield np.concatenate(features), labels
            features, labels = [], []
    if features:
        yield np.concatenate(features), labels
