"""Support vector machine with a Gaussian kernel."""

from collections.abc import Sequence

from sklearn.svm import SVC

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.evaluation.baselines.base import Baseline, split_margin
from faast.evaluation.baselines.model_selection import fit_best_c


class KernelSVM(Baseline):
    """SVC with a Gaussian kernel (gamma "scale"); C by cross-validated accuracy on the support.

    When no class has two rows, nothing can be held out and C is 10. Scores combine the pairwise
    classifiers into one column per class; there are no probabilities.

    Parameters
    ----------
    candidates : sequence of float
        Values of C to choose from.
    random_state : int
        Seed of the folds.

    Attributes
    ----------
    estimator_ : SVC
        The fitted classifier; its classes are positions in ``classes_``.
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
        return split_margin(self.estimator_.decision_function(rows))

    def _stored(self) -> Sequence[AnyArray]:
        model = self.estimator_
        return [model.support_vectors_, model.dual_coef_, model.intercept_]
