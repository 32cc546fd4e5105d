"""The scikit-learn face."""

from faast.estimators.classifier import FaastClassifier as FaastClassifier
from faast.estimators.regressor import FaastRegressor as FaastRegressor
