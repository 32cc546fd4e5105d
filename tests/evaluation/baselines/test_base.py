"""Class means, margins of two classes, batches."""

import numpy as np

from faast.evaluation.baselines.base import apply_in_batches, class_means, split_margin


def test_class_means():
    rows = np.arange(8.0).reshape(4, 2)
    np.testing.assert_array_equal(
        class_means(rows, np.array([1, 0, 1, 1])), [[2, 3], [10 / 3, 13 / 3]]
    )


def test_binary_margin_becomes_two_columns_of_the_same_odds():
    columns = split_margin(np.array([-2.0, 3.0]))
    np.testing.assert_array_equal(columns[:, 1] - columns[:, 0], [-2, 3])


def test_batches_do_not_change_the_result():
    rows = np.random.default_rng(0).standard_normal((1000, 3))
    np.testing.assert_array_equal(apply_in_batches(np.exp, rows, size=7), np.exp(rows))
