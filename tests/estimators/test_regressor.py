import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import RidgeCV

from faast import FaastRegressor


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True)


def test_regression_matches_a_tuned_ridge(diabetes):
    rows, targets = diabetes
    ours = FaastRegressor().fit(rows[:300], targets[:300])
    tuned = RidgeCV(np.logspace(-6, 3, 40)).fit(rows[:300], targets[:300])
    assert ours.score(rows[300:], targets[300:]) >= tuned.score(rows[300:], targets[300:]) - 0.01


def test_many_outputs_are_each_regressed(diabetes):
    rows, targets = diabetes
    both = np.stack([targets, -targets], axis=1)
    model = FaastRegressor().fit(rows, both)
    predicted = model.predict(rows)
    assert predicted.shape == both.shape
    np.testing.assert_allclose(predicted[:, 0], -predicted[:, 1], rtol=1e-6)


def test_streamed_merged_and_forgotten_rows_leave_one_answer(diabetes):
    rows, targets = diabetes
    settings = {"key_scale": 1.0, "value_scale": 512.0}
    whole = FaastRegressor(**settings).fit(rows, targets)
    parts = np.array_split(np.random.default_rng(0).permutation(len(rows)), 4)
    streamed = FaastRegressor(**settings)
    for part in parts[:3]:
        streamed.partial_fit(rows[part], targets[part])
    streamed.partial_fit(rows[parts[0]] + 0.01, targets[parts[0]])
    streamed.merge(FaastRegressor(**settings).fit(rows[parts[3]], targets[parts[3]]))
    streamed.forget(rows[parts[0]] + 0.01, targets[parts[0]])
    assert np.array_equal(whole.predict(rows), streamed.predict(rows))
