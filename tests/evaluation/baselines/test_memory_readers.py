"""The paper's readers beside independent implementations."""

import numpy as np
import pytest
from scipy.stats import mode

from faast.evaluation.baselines import NearestNeighbours, PaperFaast
from faast.evaluation.baselines.memory_readers import mode_over_neighbours


def test_mode_is_scipys():
    values = np.random.default_rng(0).integers(0, 4, (50, 7, 9)).astype(float)
    np.testing.assert_array_equal(mode_over_neighbours(values), mode(values, axis=1).mode)


def test_one_hot_read_is_the_share_of_each_class(problem):
    model = NearestNeighbours().fit(problem.X, problem.y)
    shares = model.decision_function(problem.queries)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares * 8, np.rint(shares * 8), atol=1e-12)


@pytest.mark.parametrize("alpha", [0.4, 0.8])
@pytest.mark.parametrize("shots", [2, 8], ids=["fewer rows than features", "more"])
def test_paper_weights_are_the_filtered_pseudo_inverse_of_the_keys(draw, shots, alpha):
    problem = draw(shots)
    model = PaperFaast(problem.class_embeddings, alpha=alpha).fit(problem.X, problem.y)
    values = model.embeddings_[np.searchsorted(model.classes_, problem.y)]
    expected = np.linalg.pinv(problem.X, rtol=len(problem.X) ** -alpha) @ values
    np.testing.assert_allclose(model.weights_, expected, atol=1e-12)
