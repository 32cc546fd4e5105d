import numpy as np
import pytest

from faast.evaluation.metrics import mean_and_interval, score_predictions


def test_scores_of_labels_some_never_learned():
    labels = np.array(["cat", "dog", "dog", "eel"])
    predicted = np.array(["cat", "dog", "cat", "cat"])
    scores = score_predictions(labels, predicted, classes=["ant", "cat", "dog"])
    assert scores.classes.tolist() == ["ant", "cat", "dog", "eel"]
    assert scores.confusion.tolist() == [[0] * 4, [0, 1, 0, 0], [0, 1, 1, 0], [0, 1, 0, 0]]
    assert scores.hits.tolist() == [True, True, False, False]
    assert scores.accuracy == 0.5
    assert scores.macro_f1 == pytest.approx(np.mean([2 / 4, 2 / 3, 0]))  # ant is not there
    assert np.isnan(scores.ece)


def test_calibration_is_measured_where_confidence_is_given():
    labels, predicted = np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0])
    sure = score_predictions(labels, predicted, np.full(4, 0.75))
    assert sure.ece == pytest.approx(0)
    assert score_predictions(labels, predicted, np.full(4, 1.0)).ece == pytest.approx(0.25)


def test_interval_is_of_the_mean():
    assert mean_and_interval(np.array([True, False] * 50)) == pytest.approx((0.5, 0.098))
