"""The only row of a class: without it the class is unknown, so that it cannot be answered."""

from __future__ import annotations

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.estimators.class_memory import ClassMemory
from faast.estimators.labels import label_indices

UNLIKELY = 1e3
"""Log-odds against a class that cannot be predicted: a file holds no infinite numbers."""


def without_only_rows(
    logits: AnyArray, codes: IntArray, weights: FloatArray, memory: ClassMemory
) -> AnyArray:
    """Return left-out logits (n, C) against the own class of each row that is its only one.

    A class with an embedding is known without rows, and the only class of a model is all that it
    can answer; these keep their logits.

    Parameters
    ----------
    logits : ndarray of shape (n, C)
        Of learned rows, each left out.
    codes : ndarray of shape (n,), int
        Column of the class of each row.
    weights : ndarray of shape (n,)
        Weight that each row was learned with; 2 stands for two rows, of which one is left out.
    memory : ClassMemory
        What learned the rows.
    """
    alone = np.flatnonzero(memory.counts[codes] <= np.minimum(weights, 1.0))
    if memory.embeddings is not None and len(alone):
        named = label_indices(memory.classes, memory.embeddings.labels) >= 0
        alone = alone[~named[codes[alone]]]
    if not len(alone) or logits.shape[1] < 2:
        return logits
    changed = logits.copy()
    changed[alone, codes[alone]] = changed[alone].min(axis=1) - UNLIKELY
    return changed
