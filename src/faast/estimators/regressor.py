"""FaastRegressor: closed-form regression that learns, forgets and merges."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import check_finite, to_numpy
from faast.core.state import State
from faast.core.weights import FastWeights
from faast.estimators.base import (
    COMPACTED,
    FaastEstimator,
    all_or_nothing,
    describe_scale,
    drop_weightless,
)
from faast.estimators.memory import SELECTION_ROWS, AssociativeMemory
from faast.solvers import Solver, describe_solver, solver_from


class FaastRegressor(RegressorMixin, FaastEstimator):
    """Closed-form regression on frozen features, with one or many outputs.

    Parameters
    ----------
    solver : "auto" or Solver
        "auto" is ridge regression with its strength chosen by leave-one-out.
    selection_rows : int
        Rows kept to select the strength; see `AssociativeMemory`.
    key_scale, value_scale : float or ndarray, optional
        Powers of two; see `Moments`. Set them if rows have norms above 2 and models are to be
        merged, or are to have the same bits in any order of rows.

    Attributes
    ----------
    learned_ : AssociativeMemory or None
        None after `compact`.
    weights_ : FastWeights
        Linear map from features to outputs.
    n_features_in_ : int
        Number of columns of the features.

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

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Forget everything, then learn rows.

        Parameters
        ----------
        X : array-like of shape (n, d), any real dtype
        y : array-like of shape (n,) or (n, m)
        sample_weight : array-like of shape (n,), optional

        Raises
        ------
        ValueError
            If shapes or types are wrong, or a row holds NaN or inf.
        """
        return self._learn(X, y, sample_weight, first=True)

    @all_or_nothing
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn more rows; their order and batching do not matter. Parameters as for `fit`."""
        return self._learn(X, y, sample_weight, first=not hasattr(self, "learned_"))

    @all_or_nothing
    def forget(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Forget rows that were learned, as if they had never been seen.

        Parameters
        ----------
        X, y, sample_weight
            The rows as they were learned; see `fit`.

        Raises
        ------
        ValueError
            If rows cannot have been learned; see `AssociativeMemory.forget`.
        """
        left = self._memory().copy()
        self.learned_ = left.forget(*self._checked(X, y, sample_weight, first=False))
        return self

    @all_or_nothing
    def merge(self, other: FaastRegressor) -> Self:
        """Learn everything another regressor has learned.

        Raises
        ------
        ValueError
            If columns, widths or scales differ.
        """
        if not isinstance(other, FaastRegressor):
            raise ValueError(f"cannot merge a regressor with a {type(other).__name__}")
        self._require_same_features(other)
        self.learned_ = self._memory().copy().merge(other._memory())
        return self

    def predict(self, X: Any) -> FloatArray:
        """Predict the outputs of rows.

        Parameters
        ----------
        X : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n,) or (n, m), float64
        """
        values = self.weights_.read(self._check_features(X, first=False))
        return values[:, 0] if self._one_output else values

    @property
    def weights_(self) -> FastWeights:
        """The fast weights, a linear map from features to outputs."""
        check_is_fitted(self)
        return self._weights if self.learned_ is None else self.learned_.weights

    def compact(self) -> FaastRegressor:
        """Return a copy for deployment: weights only, no moments or rows, no more learning."""
        twin: FaastRegressor = clone(self)
        twin._copy_features(self)
        twin._one_output = self._one_output
        twin.learned_, twin._weights = None, self.weights_
        return twin

    def to_state(self) -> State:
        """Return the content to write."""
        learned = self.learned_
        settings = {
            "solver": describe_solver(self.solver),
            "selection_rows": self.selection_rows,
            "key_scale": describe_scale(self.key_scale),
            "value_scale": describe_scale(self.value_scale),
        }
        part = {"weights": self._weights} if learned is None else {"learned": learned}
        return State.join(
            {name: kept.to_state() for name, kept in part.items()},
            **self._feature_state(),
            one_output=self._one_output,
            settings=settings,
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild a regressor; errors as for `faast.load`."""
        settings = state.metadata["settings"]
        restored = cls(**{**settings, "solver": solver_from(settings["solver"])})
        restored._restore_features(state.metadata)
        restored._one_output = bool(state.metadata["one_output"])
        if "learned" in state.metadata:
            learned = AssociativeMemory.from_state(state.part("learned"))
            moments = learned.moments
            if moments is None:
                raise ValueError("a regressor holds a memory that has learned nothing")
            restored.learned_, shape = learned, (moments.n_features, moments.n_values)
        else:
            restored.learned_ = None
            restored._weights = FastWeights.from_state(state.part("weights"))
            shape = restored._weights.matrix.shape
        if shape[0] != restored.n_features_in_ or (restored._one_output and shape[1] != 1):
            raise ValueError(f"weights of shape {shape} do not fit the features and the outputs")
        return restored

    def _learn(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Self:
        X, Y, weights = self._checked(X, y, sample_weight, first=first)
        if first:
            if not len(X):
                raise ValueError("fit needs at least one row with a weight above zero")
            learned = AssociativeMemory(
                self.solver,
                selection_rows=self.selection_rows,
                key_scale=self.key_scale,
                value_scale=self.value_scale,
            )
            self._one_output = Y.ndim == 1
        else:
            learned = self._memory().copy()
        self.learned_ = learned.learn(X, Y, weights)
        return self

    def _checked(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool
    ) -> tuple[AnyArray, AnyArray, FloatArray | None]:
        return drop_weightless(self._check_features(X, first=first), _numbers(y), sample_weight)

    def _memory(self) -> AssociativeMemory:
        check_is_fitted(self)
        if self.learned_ is None:
            raise ValueError(COMPACTED)
        return self.learned_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _numbers(y: Any) -> AnyArray:
    """Validate the targets of a regressor: finite numbers."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    targets = to_numpy(y)
    if targets.dtype.kind not in "fiub":
        targets = np.asarray(targets, dtype=np.float64)
    check_finite(targets, "y")
    return targets
