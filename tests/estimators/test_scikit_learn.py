"""Both estimators keep every promise scikit-learn asks of its own."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from faast import FaastClassifier, FaastRegressor


@parametrize_with_checks([FaastClassifier(), FaastRegressor()])
def test_scikit_learn_conventions(estimator, check):
    check(estimator)
