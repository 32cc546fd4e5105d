"""FaastRegressor: closed-form regression that learns, forgets and merges."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from faast._typing import AnyArray, FloatArray
from faast.estimators.base import MemoryEstimator, without_weightless
from faast.inputs import check_finite, to_numpy
from faast.memory import SELECTION_ROWS
from faast.persistence import persistent
from faast.solvers import Solver


@persistent("regressor")
class FaastRegressor(RegressorMixin, MemoryEstimator):
    """Regression on frozen features, one or many outputs, in closed form.

    Parameters
    ----------
    solver : "auto" or Solver
        "auto": ridge with the strength chosen by leave-one-out.
    selection_rows : int
        Rows kept for selection; see `AssociativeMemory`.
    key_scale, value_scale : float or ndarray, optional
        Powers of two; see `Moments`. Give them where rows of norm above 2 are to be merged, or
        learned in any order with the same bits.

    Attributes
    ----------
    memory_ : AssociativeMemory
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> from faast import FaastRegressor
    >>> X = np.linspace(-1, 1, 20).reshape(-1, 1)
    >>> model = FaastRegressor().fit(X[:10], 2 * X[:10, 0]).partial_fit(X[10:], 2 * X[10:, 0])
    >>> model.predict([[0.5]]).round(3).tolist()
    [1.0]
    """

    def __init__(
        self,
        solver: Solver | str = "auto",
        *,
        selection_rows: int = SELECTION_ROWS,
        key_scale: float | AnyArray | None = None,
        value_scale: float | AnyArray | None = None,
    ) -> None:
        self.solver = solver
        self.selection_rows = selection_rows
        self.key_scale = key_scale
        self.value_scale = value_scale

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn rows from nothing.

        Parameters
        ----------
        X : array-like of shape (n, d), any real dtype
        y : array-like of shape (n,) or (n, m)
        sample_weight : array-like of shape (n,), optional

        Raises
        ------
        ValueError
            Wrong shapes or types, NaN or inf (named by row).
        """
        return self._learn(X, y, sample_weight, first=True)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn more rows; any order and batching gives the same answer. As `fit` otherwise."""
        return self._learn(X, y, sample_weight, first=not hasattr(self, "memory_"))

    def forget(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Forget rows that were learned, as if they had never been seen.

        Raises
        ------
        ValueError
            Rows that cannot have been learned; see `AssociativeMemory.forget`.
        """
        memory = self._learnable()
        X = self._rows(X, first=False)
        X, Y, weights = without_weightless(X, _targets(y), sample_weight)
        memory.forget(X, Y, weights)
        return self

    def merge(self, other: FaastRegressor) -> Self:
        """Learn everything another regressor has learned."""
        self._learnable().merge(other._learnable())
        return self

    def predict(self, X: Any) -> FloatArray:
        """Predict.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n,) or (n, m), float64
        """
        check_is_fitted(self)
        values = self._learnable().read(self._rows(X, first=False))
        return values[:, 0] if self._one_output else values

    def _learn(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Self:
        memory = self._new_memory(value_scale=self.value_scale) if first else self._learnable()
        X = self._rows(X, first=first)
        Y = _targets(y)
        X, Y, weights = without_weightless(X, Y, sample_weight)
        if first and not len(X):
            raise ValueError("found array with 0 sample(s); at least one row is needed to fit")
        memory.learn(X, Y, weights)
        if first:
            self.memory_, self._one_output = memory, Y.ndim == 1
        return self


    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _targets(y: Any) -> AnyArray:
    targets = to_numpy(y)
    if targets.dtype.kind not in "fiub":
        targets = np.asarray(targets, dtype=np.float64)
    check_finite(targets.reshape(len(targets), -1) if targets.ndim else targets, "y")
    return targets
