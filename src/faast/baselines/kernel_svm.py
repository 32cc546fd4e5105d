"""Support vector machine with a Gaussian kernel."""

from collections.abc import Sequence

from sklearn.svm import SVC

from faast._typing import AnyArray, FloatArray, IntArray
from faast.baselines.base import Baseline, class_columns
from faast.baselines.validation import fit_best_c


class KernelSVM(Baseline):
    """SVC with a Gaussian kernel (gamma "scale"), C by held-out accuracy on the support.

    Where no class has two rows there is nothing to hold out, and C is 10. Scores are the
    one-against-rest form of the pairwise votes; there are no probabilities.

    Parameters
    ----------
    candidates : sequence of float
        Values of C to choose from.
    random_state : int
        Seed of the folds.

    Attributes
    ----------
    estimator_ : SVC
        The fitted classifier of class positions.
    """

    def __init__(
        self,
        candidates: Sequence[float] = (0.1, 1.0, 10.0, 100.0, 1000.0),
        random_state: int = 0,
    ) -> None:
        self.candidates = candidates
        self.random_state = random_state

    def _fit(self, rows: FloatArray, codes: IntArray) -> None:
        self.estimator_ = fit_best_c(
            SVC(random_state=self.random_state),  # None would draw from the global state
            rows,
            codes,
            candidates=self.candidates,
            fallback=10.0,
            scoring="accuracy",
            seed=self.random_state,
        )

    def _scores(self, rows: FloatArray) -> FloatArray:
        return class_columns(self.estimator_.decision_function(rows))

    def _stored(self) -> Sequence[AnyArray]:
        model = self.estimator_
        return [model.support_vectors_, model.dual_coef_, model.intercept_]
