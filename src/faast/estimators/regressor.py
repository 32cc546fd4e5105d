"""FaastRegressor: closed-form regression that learns, forgets and merges."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import check_finite, to_numpy
from faast.core.persistence import State, persistent
from faast.core.weights import FastWeights
from faast.estimators.base import COMPACTED, MemoryEstimator, without_weightless
from faast.estimators.memory import SELECTION_ROWS, AssociativeMemory
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
    learned_ : AssociativeMemory or None
        None once compacted.
    weights_ : FastWeights
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

    learned_: AssociativeMemory | None
    _weights: FastWeights
    _one_output: bool

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
        return self._learn(X, y, sample_weight, first=not self.__sklearn_is_fitted__())

    def forget(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Forget rows that were learned, as if they had never been seen.

        Raises
        ------
        ValueError
            Rows that cannot have been learned; see `AssociativeMemory.forget`.
        """
        self._learned().forget(*self._checked(X, y, sample_weight, first=False))
        return self

    def merge(self, other: FaastRegressor) -> Self:
        """Learn everything another regressor has learned."""
        self._learned().merge(other._learned())
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
        values = self.weights_.read(self._rows(X, first=False))
        return values[:, 0] if self._one_output else values

    @property
    def weights_(self) -> FastWeights:
        """The fast weights that read a query."""
        check_is_fitted(self)
        return self._weights if self.learned_ is None else self.learned_.weights

    def compact(self) -> FaastRegressor:
        """Return a copy for deployment: weights only, no moments or rows, no more learning."""
        twin: FaastRegressor = clone(self)
        twin.n_features_in_, twin._one_output = self.n_features_in_, self._one_output
        twin.learned_, twin._weights = None, self.weights_
        return twin

    def to_state(self) -> State:
        """Return what a file keeps."""
        learned = self.learned_
        part = {"weights": self._weights} if learned is None else {"learned": learned.solved()}
        return State.joined(
            {name: kept.to_state() for name, kept in part.items()},
            n_features=self.n_features_in_,
            one_output=self._one_output,
            settings=self._settings(),
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore what `to_state` returned."""
        restored = cls(**cls._settings_from(state.metadata["settings"]))
        restored.n_features_in_ = int(state.metadata["n_features"])
        restored._one_output = bool(state.metadata["one_output"])
        if "learned" in state.metadata:
            restored.learned_ = AssociativeMemory.from_state(state.part("learned"))
        else:
            restored.learned_ = None
            restored._weights = FastWeights.from_state(state.part("weights"))
        return restored

    def _learn(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Self:
        X, Y, weights = self._checked(X, y, sample_weight, first=first)
        if first:
            if not len(X):
                raise ValueError("fit needs at least one row of a weight other than zero")
            learned = self._new_memory(value_scale=self.value_scale)
        else:
            learned = self._learned()
        learned.learn(X, Y, weights)
        if first:
            self._one_output = Y.ndim == 1
        self.learned_ = learned
        return self

    def _checked(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool
    ) -> tuple[AnyArray, AnyArray, FloatArray | None]:
        return without_weightless(self._rows(X, first=first), _targets(y), sample_weight)

    def _learned(self) -> AssociativeMemory:
        check_is_fitted(self)
        if self.learned_ is None:
            raise ValueError(COMPACTED)
        return self.learned_

    def _settings(self) -> dict[str, Any]:
        scale = self.value_scale
        described = scale.tolist() if isinstance(scale, np.ndarray) else scale
        return {**super()._settings(), "value_scale": described}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _targets(y: Any) -> AnyArray:
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    targets = to_numpy(y)
    if targets.dtype.kind not in "fiub":
        targets = np.asarray(targets, dtype=np.float64)
    check_finite(targets, "y")
    return targets
