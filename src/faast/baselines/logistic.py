"""Logistic regression."""

from collections.abc import Sequence

from sklearn.linear_model import LogisticRegression

from faast._typing import AnyArray, FloatArray, IntArray
from faast.baselines.base import ProbabilisticBaseline, class_columns
from faast.baselines.validation import fit_best_c, mean_log_likelihood


class LogisticCV(ProbabilisticBaseline):
    """Multinomial logistic regression (L-BFGS), C by held-out likelihood on the support.

    Where no class has two rows there is nothing to hold out, and C is 10.

    Parameters
    ----------
    candidates : sequence of float
        Values of C, the inverse of the L2 penalty, to choose from.
    max_iter : int
        Bound on the iterations of each fit.
    random_state : int
        Seed of the folds.

    Attributes
    ----------
    estimator_ : LogisticRegression
        The fitted classifier of class positions.
    """

    def __init__(
        self,
        candidates: Sequence[float] = (0.1, 1.0, 10.0, 100.0, 1000.0),
        max_iter: int = 1000,
        random_state: int = 0,
    ) -> None:
        self.candidates = candidates
        self.max_iter = max_iter
        self.random_state = random_state

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        self.estimator_ = fit_best_c(
            LogisticRegression(max_iter=self.max_iter),
            rows,
            codes,
            candidates=self.candidates,
            fallback=10.0,
            scoring=mean_log_likelihood,
            seed=self.random_state,
        )

    def _scores(self, rows: FloatArray) -> FloatArray:
        return class_columns(self.estimator_.decision_function(rows))

    def _stored(self) -> Sequence[AnyArray]:
        return [self.estimator_.coef_, self.estimator_.intercept_]
