"""Ridge regression onto the classes."""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import RidgeClassifierCV

from faast._typing import AnyArray, FloatArray, IntArray
from faast.baselines.base import Baseline, class_columns


class RidgeCV(Baseline):
    """scikit-learn's RidgeClassifierCV: strength by closed-form leave-one-out.

    It regresses on labels of -1 and 1, which gives scores and no probabilities.

    Parameters
    ----------
    alphas : sequence of float
        Strengths to choose from.

    Attributes
    ----------
    estimator_ : RidgeClassifierCV
        The fitted classifier of class positions.

    References
    ----------
    Rifkin and Lippert, Notes on Regularized Least Squares, MIT-CSAIL-TR-2007-025.
    """

    def __init__(self, alphas: Sequence[float] = tuple(np.logspace(-6, 6, 13).tolist())) -> None:
        self.alphas = alphas

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        self.estimator_ = RidgeClassifierCV(alphas=self.alphas).fit(rows, codes)

    def _scores(self, rows: FloatArray) -> FloatArray:
        return class_columns(self.estimator_.decision_function(rows))

    def _stored(self) -> Sequence[AnyArray]:
        return [self.estimator_.coef_, self.estimator_.intercept_]
