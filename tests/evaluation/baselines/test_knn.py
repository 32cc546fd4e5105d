"""The mode over neighbours."""

import numpy as np
from scipy.stats import mode

from faast.evaluation.baselines import NearestNeighbours
from faast.evaluation.baselines.memory_readers import mode_over_neighbours


def test_mode_is_scipys():
    values = np.random.default_rng(0).integers(0, 4, (50, 7, 9)).astype(float)
    np.testing.assert_array_equal(mode_over_neighbours(values), mode(values, axis=1).mode)


def test_one_hot_read_is_the_share_of_each_class(problem):
    model = NearestNeighbours().fit(problem.X, problem.y)
    shares = model.decision_function(problem.queries)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares * 8, np.rint(shares * 8), atol=1e-12)
