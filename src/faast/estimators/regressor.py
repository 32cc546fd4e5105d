"""FaastRegressor: closed-form regression that learns, forgets and merges."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import warn_light_rows
from faast.encoders import Encoder
from faast.estimators.base import all_or_nothing, drop_weightless
from faast.estimators.memory import SELECTION_ROWS, AssociativeMemory
from faast.estimators.memory_regressor import MemoryRegressor
from faast.estimators.numbers import as_numbers, names_of_targets, warn_rounded
from faast.solvers import Solver


class FaastRegressor(MemoryRegressor):
    """Closed-form regression on frozen features, or on raw rows through a frozen encoder.

    One or several numbers are predicted per row. Rows are learned in one pass; the result does not
    depend on their order and batching, and forgetting leaves the state as if rows had never been
    seen.

    Parameters
    ----------
    solver : "auto" or Solver
        "auto" is ridge regression with its strength chosen by leave-one-out.
    encoder : str or Encoder, optional
        Encodes raw rows: a name for `load_encoder`, or an encoder. None if rows are features.
    cache : path-like, optional
        Folder that keeps the features of learned rows; see `FaastClassifier`.
    selection_rows : int
        Rows kept to select the strength and to measure errors; see `AssociativeMemory`.
    key_scale, value_scale : float or ndarray, optional
        Powers of two; see `Moments`. Set them if rows have norms above 2 and models are to be
        merged, or are to have the same bits in any order of rows.
    verbose : bool
        Show a progress bar on the terminal while rows are encoded.

    Attributes
    ----------
    learned_ : AssociativeMemory or None
        None after `compact`.
    weights_ : FastWeights
        Linear map from features to outputs.
    loo_r2_, loo_error_ : float, or ndarray of shape (m,)
        Leave-one-out R² and mean absolute error.
    n_features_in_ : int
        Number of columns of the features.
    target_names_ : list of str
        Names of the targets, if the first y learned had names (a DataFrame or a named Series).

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
        encoder: str | Encoder | None = None,
        cache: str | os.PathLike[str] | None = None,
        selection_rows: int = SELECTION_ROWS,
        key_scale: float | AnyArray | None = None,
        value_scale: float | AnyArray | None = None,
        verbose: bool = False,
    ) -> None:
        self.solver = solver
        self.encoder = encoder
        self.cache = cache
        self.selection_rows = selection_rows
        self.key_scale = key_scale
        self.value_scale = value_scale
        self.verbose = verbose

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Forget everything, then learn rows.

        Parameters
        ----------
        X : array-like of shape (n, d), any real dtype; with an encoder, n raw rows
        y : array-like of shape (n,) or (n, m)
        sample_weight : array-like of shape (n,), optional
            A weight of w counts as w copies of the row; their mean should be about 1.

        Raises
        ------
        TypeError, ValueError
            If shapes or types are wrong, a row holds NaN or inf or cannot be encoded, or a target
            is no finite number.

        Warns
        -----
        UserWarning
            If targets vary so little beside their size that rounding removes much of it.
        """
        self._reference = None
        self._learn(self.encode_to_learn(X), y, sample_weight, first=True)
        warn_light_rows(sample_weight)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn more rows; their order and batching do not matter. Parameters as for `fit`."""
        return self.partial_fit_encoded(self.encode_to_learn(X), y, sample_weight)

    @all_or_nothing
    def partial_fit_encoded(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn rows that `encode_to_learn` returned."""
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
        RowsNotLearnedError
            If the features that a raw row was learned with are not known.
        ValueError
            If rows cannot have been learned; see `AssociativeMemory.forget`.
        """
        checked = self._checked(self._recall(X), y, sample_weight, first=False)
        self.learned_ = self._memory().copy().forget(*checked)
        return self

    @all_or_nothing
    def merge(self, other: FaastRegressor) -> Self:
        """Learn everything another regressor has learned.

        Raises
        ------
        ValueError
            If encoder, columns, targets, widths or scales differ.
        """
        if not isinstance(other, FaastRegressor):
            raise ValueError(f"cannot merge a regressor with a {type(other).__name__}")
        self._require_same_encoder(other)
        self._require_same_features(other)
        theirs = other._memory()
        if not self.is_fitted:
            self._copy_form(other)
            self.learned_ = theirs.copy()
        else:
            self._require_targets(other.n_targets_, other._target_names())
            self.learned_ = self._memory().copy().merge(theirs)
            self._copy_feature_names(other)
            if self._target_names() is None:
                self._name_targets(other._target_names(), other.n_targets_)
        return self

    def on_features(self) -> FaastRegressor:
        """Return an equal regressor that takes features, as `encode` returns them, not raw rows.

        It shares what was learned so far, and does not change when this one learns more.
        """
        if self._encoding() is None:
            return self
        twin = FaastRegressor(
            self.solver,
            selection_rows=self.selection_rows,
            key_scale=self.key_scale,
            value_scale=self.value_scale,
        )
        if self.is_fitted:
            twin._copy_form(self)
            twin._reference = None
            twin.learned_, twin._measured = self._memory_or_none(), self._measured
            if self.learned_ is None:
                twin._weights = self._weights
        return twin

    def _learn(self, X: Any, y: Any, sample_weight: Any, *, first: bool) -> Self:
        names = names_of_targets(y)
        X, Y, weights = self._checked(X, y, sample_weight, first=first)
        if not first:
            self.learned_ = self._memory().copy().learn(X, Y, weights)
            return self
        if not len(X):
            raise ValueError("fit needs at least one row with a weight above zero")
        learned = AssociativeMemory(
            self.solver,
            selection_rows=self.selection_rows,
            key_scale=self.key_scale,
            value_scale=self.value_scale,
        )
        self._one_output = Y.ndim == 1
        self._name_targets(names, 1 if Y.ndim == 1 else Y.shape[1])
        self.learned_ = learned.learn(X, Y, weights)
        if learned.moments is not None:
            units = learned.moments.grids.value_units(learned.moments.n_values)
            warn_rounded(Y, units, names)
        return self

    def _checked(
        self, X: Any, y: Any, sample_weight: Any, *, first: bool
    ) -> tuple[AnyArray, AnyArray, FloatArray | None]:
        X, Y = self._check_features(X, first=first), as_numbers(y)
        if not first:
            self._require_targets(1 if Y.ndim == 1 else Y.shape[1], names_of_targets(y))
        return drop_weightless(X, Y, sample_weight)

    def _require_targets(self, n_targets: int, names: Sequence[str] | None) -> None:
        """Raise ValueError if targets differ in number or name from those that were learned."""
        if n_targets != self.n_targets_:
            raise ValueError(
                f"this model learned {self.n_targets_} targets per row, got {n_targets}"
            )
        known = self._target_names()
        if known is not None and names is not None and list(names) != known:
            raise ValueError(
                f"this model learned the targets {', '.join(map(repr, known))}, got "
                f"{', '.join(map(repr, names))}; name and order the columns of y alike"
            )
