"""Linear classifier trained by stochastic gradient descent."""

from collections.abc import Sequence

from scipy.special import log_expit
from sklearn.linear_model import SGDClassifier

from faast._typing import AnyArray, FloatArray, IntArray
from faast.baselines.base import ProbabilisticBaseline, class_columns


class LinearSGD(ProbabilisticBaseline):
    """Logistic loss, one class against the rest, by averaged SGD on centred rows.

    Unit features share one large mean, which slows SGD down; dividing by each coordinate's
    deviation as well loses accuracy where there are few rows to estimate it, so it is left
    out. Averaging the iterates makes the result depend little on the learning rate.
    Probabilities are the classes' logistic outputs, made to sum to one.

    Parameters
    ----------
    penalty : float
        L2 penalty, also the time scale of the learning rate: SGDClassifier's ``alpha``.
    epochs : int
        Bound on the passes over the support; it stops earlier once the loss is level.
    random_state : int
        Seed of the order of rows.

    Attributes
    ----------
    estimator_ : SGDClassifier
        The fitted classifier of class positions.
    """

    def __init__(self, penalty: float = 1e-4, epochs: int = 1000, random_state: int = 0) -> None:
        self.penalty = penalty
        self.epochs = epochs
        self.random_state = random_state

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        self.mean_ = rows.mean(axis=0)
        self.estimator_ = SGDClassifier(
            loss="log_loss",
            alpha=self.penalty,
            max_iter=self.epochs,
            average=True,
            random_state=self.random_state,
        ).fit(rows - self.mean_, codes)

    def _scores(self, rows: FloatArray) -> FloatArray:
        margins = self.estimator_.decision_function(rows - self.mean_)
        if margins.ndim == 1:
            return class_columns(margins)
        log_outputs: FloatArray = log_expit(margins)
        return log_outputs

    def _stored(self) -> Sequence[AnyArray]:
        return [self.mean_, self.estimator_.coef_, self.estimator_.intercept_]
