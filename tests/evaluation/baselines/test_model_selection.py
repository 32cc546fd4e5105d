"""Folds of the support."""

import numpy as np

from faast.evaluation.baselines.model_selection import support_folds

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
