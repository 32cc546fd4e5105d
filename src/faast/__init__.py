"""Teach a frozen pretrained model new answers in one forward pass.

From labelled examples, a small set of weights is computed by solving equations (FAAST, arXiv
2605.04651). Prediction costs one matrix product however many examples were learned.
"""

from faast._version import __version__ as __version__
from faast.core.moments import Moments as Moments
from faast.core.persistence import ModelFileError as ModelFileError
from faast.core.persistence import load as load
from faast.core.weights import FastWeights as FastWeights
from faast.estimators import AssociativeMemory as AssociativeMemory
from faast.estimators import FaastClassifier as FaastClassifier
from faast.estimators import FaastRegressor as FaastRegressor
from faast.estimators import ImageClassifier as ImageClassifier
from faast.estimators import ImageRegressor as ImageRegressor
from faast.estimators import NaturalGradientClassifier as NaturalGradientClassifier
from faast.estimators import OnlineClassifier as OnlineClassifier
from faast.estimators import TextClassifier as TextClassifier
from faast.estimators import TextRegressor as TextRegressor
from faast.solvers import Auto as Auto
from faast.solvers import Discriminant as Discriminant
from faast.solvers import PseudoInverse as PseudoInverse
from faast.solvers import Ridge as Ridge
