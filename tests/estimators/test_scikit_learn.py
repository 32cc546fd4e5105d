"""All estimators keep every promise scikit-learn asks of its own."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from faast import FaastClassifier, FaastRegressor, NaturalGradientClassifier

SEQUENTIAL = {
    "check_sample_weight_equivalence_on_dense_data": "a repeated row is learned in two blocks"
}


def expected_failures(estimator):
    return SEQUENTIAL if isinstance(estimator, NaturalGradientClassifier) else {}


@parametrize_with_checks(
    [FaastClassifier(), NaturalGradientClassifier(), FaastRegressor()],
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_conventions(estimator, check):
    check(estimator)
