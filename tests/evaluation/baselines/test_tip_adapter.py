"""The cache and its two parameters."""

import numpy as np

from faast.evaluation.baselines import TipAdapter


def test_paper_defaults_where_nothing_can_be_held_out(draw):
    problem = draw(shots=1)
    model = TipAdapter(problem.class_embeddings).fit(problem.X, problem.y)
    assert (model.alpha_, model.beta_) == (1.0, 5.5)


def test_scores_follow_the_equation(draw):
    problem = draw(shots=1)
    model = TipAdapter(problem.class_embeddings).fit(problem.X, problem.y)
    embeddings = np.array([problem.class_embeddings[label] for label in model.classes_])
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    keys = np.array([problem.X[problem.y == label][0] for label in model.classes_])
    expected = 100 * problem.queries @ embeddings.T + np.exp(5.5 * (problem.queries @ keys.T - 1))
    np.testing.assert_allclose(model.decision_function(problem.queries), expected)


def test_norms_of_rows_do_not_matter(problem):
    model = TipAdapter(n_betas=5).fit(problem.X, problem.y)
    scores = model.decision_function(problem.queries)
    np.testing.assert_allclose(model.decision_function(3 * problem.queries), scores)
