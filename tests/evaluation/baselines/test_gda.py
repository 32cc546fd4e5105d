"""The Gaussian term and its precision."""

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from faast.evaluation.baselines import GDA
from faast.evaluation.baselines.gda import shrunk_precision


def test_is_linear_discriminant_analysis_where_rows_are_many(draw):
    problem = draw(shots=5000, noise=0.3)
    ours = GDA().fit(problem.X, problem.y)
    theirs = LinearDiscriminantAnalysis(priors=np.full(4, 0.25)).fit(problem.X, problem.y)
    # The published precision is d / n of the usual one, so margins agree up to a factor.
    ours_margin, theirs_margin = (
        np.diff(model.decision_function(problem.queries), axis=1) for model in (ours, theirs)
    )
    correlation = np.corrcoef(ours_margin.ravel(), theirs_margin.ravel())[0, 1]
    assert correlation > 0.995


def test_precision_is_finite_where_features_outnumber_rows():
    centred = np.random.default_rng(0).standard_normal((5, 40))
    precision = shrunk_precision(centred)
    scatter = centred.T @ centred
    expected = 40 * np.linalg.inv(scatter + scatter.trace() / 4 * np.eye(40))
    np.testing.assert_allclose(precision, expected)


def test_equal_rows_fall_back_to_the_identity():
    np.testing.assert_array_equal(shrunk_precision(np.zeros((3, 2))), np.eye(2))


def test_weight_is_of_the_published_grid(draw):
    problem = draw(shots=4)
    model = GDA(problem.class_embeddings).fit(problem.X, problem.y)
    assert model.alpha_ in {1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0}
    one = draw(shots=1)
    assert GDA(one.class_embeddings).fit(one.X, one.y).alpha_ == 0.01
