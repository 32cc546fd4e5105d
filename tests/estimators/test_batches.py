"""Batches are encoded one by one and gathered until there are enough to learn."""

import numpy as np

from faast.data import Batch
from faast.estimators.batches import LEARN_ROWS, encode_batches


def test_batches_are_gathered_in_their_order():
    n_batches, n_rows = 20, 1024
    encoded = []

    def encode(rows):
        encoded.append(len(rows))
        return np.array(rows, np.float32)[:, None]

    batches = [
        Batch(list(range(start, start + n_rows)), [start] * n_rows, list(range(n_rows)))
        for start in range(0, n_batches * n_rows, n_rows)
    ]
    chunks = list(encode_batches(batches, encode))
    assert encoded == [n_rows] * n_batches
    assert [len(labels) for _, labels in chunks] == [LEARN_ROWS, LEARN_ROWS, 4 * n_rows]
    features = np.concatenate([features for features, _ in chunks])
    np.testing.assert_array_equal(features[:, 0], np.arange(n_batches * n_rows))
    assert [label for _, labels in chunks for label in labels][::n_rows] == [
        batch.rows[0] for batch in batches
    ]
    assert not list(encode_batches([], encode))
