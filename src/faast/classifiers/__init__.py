"""Classifiers of raw rows: a frozen encoder and a `FaastClassifier` on its features."""

from faast.classifiers.base import EncodedClassifier as EncodedClassifier
from faast.classifiers.kinds import ImageClassifier as ImageClassifier
from faast.classifiers.kinds import TextClassifier as TextClassifier
from faast.classifiers.results import Explanation as Explanation
from faast.classifiers.results import Prediction as Prediction
