"""Folds of the support, class means, batches."""

import numpy as np

from faast.evaluation.baselines.base import class_columns, class_means, in_batches, support_folds

CODES = np.repeat([0, 1, 2, 3], [1, 2, 7, 20])


def test_folds_hold_out_every_row_once_save_lone_ones():
    held = np.concatenate([held for _, held in support_folds(CODES, 5, seed=0)])
    assert sorted(held) == list(range(1, len(CODES)))


def test_folds_leave_every_class_something_to_learn_from():
    for learn, held in support_folds(CODES, 5, seed=1):
        assert set(CODES[learn]) == {0, 1, 2, 3}
        assert sorted([*learn, *held]) == list(range(len(CODES)))


def test_folds_hold_out_classes_evenly():
    for _, held in support_folds(np.repeat([0, 1], 15), 5, seed=2):
        assert np.bincount(np.repeat([0, 1], 15)[held]).tolist() == [3, 3]


def test_one_row_a_class_has_no_folds():
    assert list(support_folds(np.arange(6), 5, seed=0)) == []


def test_class_means():
    rows = np.arange(8.0).reshape(4, 2)
    np.testing.assert_array_equal(
        class_means(rows, np.array([1, 0, 1, 1])), [[2, 3], [10 / 3, 13 / 3]]
    )


def test_binary_margin_becomes_two_columns_of_the_same_odds():
    columns = class_columns(np.array([-2.0, 3.0]))
    np.testing.assert_array_equal(columns[:, 1] - columns[:, 0], [-2, 3])


def test_batches_do_not_change_the_result():
    rows = np.random.default_rng(0).standard_normal((1000, 3))
    np.testing.assert_array_equal(in_batches(np.exp, rows, size=7), np.exp(rows))
