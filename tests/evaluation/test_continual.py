import numpy as np
import pytest

from faast import AssociativeMemory, Ridge
from faast.evaluation.baselines.recursive import RecursiveLeastSquares
from faast.evaluation.continual import ORDERS, class_incremental, learn_stream


@pytest.fixture
def clouds(rng):
    labels = rng.integers(0, 6, 600)
    rows = rng.standard_normal((6, 16))[labels] + rng.standard_normal((600, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows[:400], labels[:400]), (rows[400:], labels[400:])


def test_classes_in_tasks_equal_joint_training_to_the_last_digit(clouds):
    results = list(class_incremental(*clouds, n_tasks=3, block=50))
    assert [result.classes for result in results] == [2, 4, 6]
    for result in results:
        assert result.identical
        assert result.accuracy == result.joint
    last = results[-1]
    assert last.rivals["block average (paper)"] < last.rivals["exact moments, ridge"]


def test_more_tasks_than_pairs_of_classes_are_refused(clouds):
    with pytest.raises(ValueError, match="tasks must be in 1 to 3"):
        next(class_incremental(*clouds, n_tasks=4))


@pytest.mark.parametrize("order", ORDERS)
def test_a_stream_in_any_order_is_one_call(clouds, order):
    train, (asked, _) = clouds
    expected = learn_stream(train, "given", batch=len(train[0])).predict_proba(asked)
    assert np.array_equal(learn_stream(train, order, batch=37).predict_proba(asked), expected)


def test_recursive_least_squares_in_float64_is_ridge(clouds):
    (rows, labels), (asked, _) = clouds
    onehot = np.eye(6)[labels]
    recursive = RecursiveLeastSquares(1.0, np.float64)
    for start in range(0, len(rows), 64):
        recursive.learn(rows[start : start + 64], onehot[start : start + 64])
    gram = rows.T @ rows + np.eye(16)
    expected = asked @ np.linalg.solve(gram, rows.T @ onehot)
    assert recursive.read(asked) == pytest.approx(expected, abs=1e-9)


def test_recursive_least_squares_has_the_strength_of_ridge(clouds):
    (rows, labels), (asked, _) = clouds
    onehot = np.eye(6)[labels]
    read = RecursiveLeastSquares(1.0).learn(rows, onehot).read(asked)
    ours = AssociativeMemory(Ridge(strength=1.0)).learn(rows, onehot).read(asked)
    assert np.corrcoef(read.ravel(), ours.ravel())[0, 1] > 0.95
