"""The two forms of the ridge solution."""

import numpy as np
import pytest

from faast.evaluation.baselines import RandomReLURidge


@pytest.mark.parametrize("n_random", [12, 300], ids=["fewer than rows", "more than rows"])
def test_weights_solve_the_normal_equations(problem, n_random):
    model = RandomReLURidge(n_random).fit(problem.X, problem.y)
    features = np.maximum(problem.X @ model.projection_, 0)
    targets = (problem.y[:, None] == model.classes_).astype(float)
    left = features.T @ (features @ model.weights_) + model.ridge_ * model.weights_
    np.testing.assert_allclose(left, features.T @ targets, atol=1e-6)


def test_seed_decides_the_features(problem):
    scores = [
        RandomReLURidge(n_random=50, random_state=seed)
        .fit(problem.X, problem.y)
        .decision_function(problem.queries)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.allclose(scores[0], scores[2])
