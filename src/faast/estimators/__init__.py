"""scikit-learn estimators for features, texts and images, and `AssociativeMemory`."""

from faast.estimators.answers import AnswerThreshold as AnswerThreshold
from faast.estimators.class_record import ClassChange as ClassChange
from faast.estimators.classifier import FaastClassifier as FaastClassifier
from faast.estimators.encoded import CLASSIFIERS as CLASSIFIERS
from faast.estimators.encoded import REGRESSORS as REGRESSORS
from faast.estimators.encoded import ImageClassifier as ImageClassifier
from faast.estimators.encoded import ImageRegressor as ImageRegressor
from faast.estimators.encoded import TextClassifier as TextClassifier
from faast.estimators.encoded import TextRegressor as TextRegressor
from faast.estimators.evidence import Evidence as Evidence
from faast.estimators.explanation import Explanation as Explanation
from faast.estimators.memory import AssociativeMemory as AssociativeMemory
from faast.estimators.monitor import DriftMonitor as DriftMonitor
from faast.estimators.natural import NaturalGradientClassifier as NaturalGradientClassifier
from faast.estimators.next_rows import Suggestions as Suggestions
from faast.estimators.online import OnlineClassifier as OnlineClassifier
from faast.estimators.regressor import FaastRegressor as FaastRegressor
from faast.estimators.suspects import Suspects as Suspects
from faast.estimators.targets import TargetKind as TargetKind
