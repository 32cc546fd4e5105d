"""Linear classifiers of scikit-learn: ridge, logistic regression and averaged SGD."""

from collections.abc import Sequence

import numpy as np
from scipy.special import log_expit
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV, SGDClassifier

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.evaluation.baselines.base import Baseline, ProbabilisticBaseline, split_margin
from faast.evaluation.baselines.model_selection import fit_best_c, mean_log_likelihood


class RidgeCV(Baseline):
    """scikit-learn's RidgeClassifierCV: regression on -1 and 1, strength by exact leave-one-out.

    It has scores but no probabilities.

    Parameters
    ----------
    alphas : sequence of float
        Ridge strengths to choose from.

    Attributes
    ----------
    estimator_ : RidgeClassifierCV
        The fitted classifier; its classes are positions in ``classes_``.

    References
    ----------
    Rifkin and Lippert, Notes on Regularized Least Squares, MIT-CSAIL-TR-2007-025.
    """

    def __init__(self, alphas: Sequence[float] = tuple(np.logspace(-6, 6, 13).tolist())) -> None:
        self.alphas = alphas

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        self.estimator_ = RidgeClassifierCV(alphas=self.alphas).fit(rows, codes)

    def _scores(self, rows: FloatArray) -> FloatArray:
        return split_margin(self.estimator_.decision_function(rows))

    def _stored(self) -> Sequence[AnyArray]:
        return [self.estimator_.coef_, self.estimator_.intercept_]


class LogisticCV(ProbabilisticBaseline):
    """Multinomial logistic regression (L-BFGS); C by cross-validated likelihood on the support.

    When no class has two rows, nothing can be held out and C is 10.

    Parameters
    ----------
    candidates : sequence of float
        Values of C, the inverse of the L2 penalty, to choose from.
    max_iter : int
        Largest number of iterations of each fit.
    random_state : int
        Seed of the folds.

    Attributes
    ----------
    estimator_ : LogisticRegression
        The fitted classifier; its classes are positions in ``classes_``.
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
        return split_margin(self.estimator_.decision_function(rows))

    def _stored(self) -> Sequence[AnyArray]:
        return [self.estimator_.coef_, self.estimator_.intercept_]


class LinearSGD(ProbabilisticBaseline):
    """One-against-rest logistic regression by averaged SGD on centred rows.

    Rows are centred because unit features share a large mean, which slows SGD down. They are not
    divided by the standard deviation per column: with few rows that estimate costs accuracy. SGD
    returns the average of its iterates, so that the result depends little on the learning rate.
    Probabilities are the logistic outputs of the classes, scaled to sum to one.

    Parameters
    ----------
    penalty : float
        L2 penalty, SGDClassifier's ``alpha``; it also sets the time scale of the learning rate.
    epochs : int
        Largest number of passes over the support; training stops earlier when the loss no longer
        falls.
    random_state : int
        Seed of the order of rows.

    Attributes
    ----------
    estimator_ : SGDClassifier
        The fitted classifier; its classes are positions in ``classes_``.
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
            return split_margin(margins)
        log_outputs: FloatArray = log_expit(margins)
        return log_outputs

    def _stored(self) -> Sequence[AnyArray]:
        return [self.mean_, self.estimator_.coef_, self.estimator_.intercept_]
