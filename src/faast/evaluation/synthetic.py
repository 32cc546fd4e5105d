"""Unit rows around random class centres, in any number: what costs are measured on."""

from __future__ import annotations

import numpy as np
from sklearn.utils import gen_batches

from faast.evaluation.methods import Labelled

TEST_ROWS = 1_000


def synthetic(
    rows: int, features: int = 64, classes: int = 10, seed: int = 0
) -> tuple[Labelled, Labelled]:
    """Draw unit float32 rows: a support and 1,000 test rows.

    The noise is twice as long as the centres, so that no method is perfect.

    Parameters
    ----------
    rows, features, classes, seed : int

    Returns
    -------
    pair of (ndarray of shape (rows, features), ndarray of shape (rows,))
        Rows to learn and their labels.
    pair of ndarray
        Test rows and theirs.
    """
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((classes, features), dtype=np.float32)

    def draw(count: int) -> Labelled:
        labels = rng.permutation(np.arange(count) % classes)
        found = np.empty((count, features), np.float32)
        for part in gen_batches(count, 4_096):  # small parts, or drawing would be the peak
            drawn = 2 * rng.standard_normal(found[part].shape, dtype=np.float32)
            drawn += centres[labels[part]]
            found[part] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return found, labels

    return draw(rows), draw(TEST_ROWS)
