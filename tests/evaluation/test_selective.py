"""The curve of accuracy against coverage."""

import numpy as np

from faast.evaluation.selective import coverage_curve


def test_the_surest_answers_are_counted():
    confidence = np.array([0.9, 0.5, 0.8, 0.7])
    curve = coverage_curve(confidence, np.array([True, False, True, False]))
    assert curve.probability.tolist() == [0.5, 0.7, 0.8, 0.9]
    assert curve.coverage.tolist() == [1.0, 0.75, 0.5, 0.25]
    np.testing.assert_allclose(curve.accuracy, [0.5, 2 / 3, 1.0, 1.0])


def test_equal_rows_get_an_answer_together():
    curve = coverage_curve(np.full(50, 0.6), np.arange(50) < 10)
    assert [part.tolist() for part in curve] == [[1.0], [0.2], [0.6]]
