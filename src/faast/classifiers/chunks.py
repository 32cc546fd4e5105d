"""Encoded rows, gathered until they are worth a merge."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from faast._typing import AnyArray

LEARN_ROWS = 8192
"""Encoded rows learned at a time: merging sums costs as much as that many rows."""

Batch = tuple[Sequence[Any], Sequence[Hashable] | None, Sequence[int]]
"""Rows, labels and numbers of the rows, as `faast.data` reads them."""


def chunks(
    batches: Iterable[Batch], encode: Callable[[Sequence[Any]], AnyArray]
) -> Iterator[tuple[AnyArray, list[Hashable]]]:
    """Encode batches one by one and yield about `LEARN_ROWS` rows of features with their labels.

    Parameters
    ----------
    batches : iterable of (rows, labels, numbers)
    encode : callable
        From the rows of a batch to features of shape (n, d).

    Yields
    ------
    features : ndarray of shape (n, d)
    labels : list of n labels
    """
    features: list[AnyArray] = []
    labels: list[Hashable] = []
    for rows, batch_labels, _ in batches:
        features.append(encode(rows))
        labels += batch_labels or []
        if len(labels) >= LEARN_ROWS:
            yield np.concatenate(features), labels
            features, labels = [], []
    if features:
        yield np.concatenate(features), labels
