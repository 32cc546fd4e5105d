"""Metrics of several labels a row, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score

from faast.estimators.targets import as_targets
from faast.evaluation.label_sets import score_label_sets


def test_metrics_are_those_of_scikit_learn(rng):
    marks = rng.random((200, 4)) < [0.5, 0.2, 0.05, 0.3]
    p = np.clip(0.6 * marks + 0.5 * rng.random((200, 4)), 0, 1)
    answered = p > 0.55
    classes = np.array(["a", "b", "c", "d"])
    sets = [set(classes[row]) for row in marks]
    scores = score_label_sets(as_targets(sets), answered, p, classes)
    for found, measure in (
        (scores.f1, f1_score),
        (scores.precision, precision_score),
        (scores.recall, recall_score),
    ):
        np.testing.assert_allclose(found, measure(marks, answered, average=None, zero_division=0))
    ranked = average_precision_score(marks, p, average=None)
    np.testing.assert_allclose(scores.average_precision, ranked)
    assert scores.micro_f1 == pytest.approx(f1_score(marks, answered, average="micro"))
    assert scores.macro_f1 == pytest.approx(f1_score(marks, answered, average="macro"))
    assert scores.exact_match == np.mean((marks == answered).all(axis=1))


def test_labels_that_were_not_learned_are_missed():
    true = as_targets([{"a"}, {"a", "new"}, set()])
    answered = np.array([[True, False], [True, False], [False, False]])
    scores = score_label_sets(true, answered, answered * 0.9, np.array(["a", "b"]))
    assert scores.labels.tolist() == ["a", "b", "new"]
    assert scores.recall.tolist() == [1.0, 0.0, 0.0]
    assert scores.exact_match == pytest.approx(2 / 3)
    assert scores.macro_f1 == 0.5
    assert np.isnan(scores.average_precision[2])
    assert scores.mean_average_precision == 1.0
