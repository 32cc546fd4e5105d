"""Classifiers of raw rows: a frozen encoder and a `FaastClassifier` on its features.

The scikit-learn face.
"""

from faast.estimators.classifier import FaastClassifier as FaastClassifier
from faast.estimators.encoded import EncodedClassifier as EncodedClassifier
from faast.estimators.encoded import ImageClassifier as ImageClassifier
from faast.estimators.encoded import TextClassifier as TextClassifier
from faast.estimators.explanation import Explanation as Explanation
from faast.estimators.explanation import Prediction as Prediction
from faast.estimators.regressor import FaastRegressor as FaastRegressor
