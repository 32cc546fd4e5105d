"""Base class of all estimators: feature validation, saving, and settings as JSON."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from typing import Any, ParamSpec, Protocol, Self, TypeVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.locks import lock_of
from faast._utils.validation import as_weights, check_finite, is_tensor, refuse_no_numbers, to_numpy
from faast.core import persistence
from faast.core.row_weights import refuse_lost_weights
from faast.data.reader import Modality
from faast.solvers import Solver, as_solver

FLOATS = np.dtype(np.float32), np.dtype(np.float64)
"""Types of rows that are predicted as they are given."""

SOLVER = "solver__"
"""Prefix of the names of a solver's settings among the parameters of an estimator."""

COMPACTED = (
    "this model was compacted: it holds weights only and can neither learn nor forget; use the "
    "model that it was made from"
)


P = ParamSpec("P")
R = TypeVar("R")


class RowsGiven(Protocol):
    """Targets or values of rows."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: AnyArray) -> Self: ...


Given = TypeVar("Given", bound=RowsGiven)


def all_or_nothing(method: Callable[P, R]) -> Callable[P, R]:
    """Make a method that changes an estimator atomic.

    Only one thread at a time changes an estimator; other threads may predict meanwhile. If the
    method raises, every attribute gets back the value that it had before the call. This relies on
    methods that replace the values of attributes and never change them in place.
    """

    @wraps(method)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        estimator = args[0]
        with lock_of(estimator):
            before = vars(estimator).copy()
            try:
                return method(*args, **kwargs)
            except BaseException:
                for name in set(vars(estimator)) - set(before):
                    delattr(estimator, name)
                for name, value in before.items():
                    if vars(estimator).get(name) is not value:
                        setattr(estimator, name, value)
                raise

    return wrapper


class FaastEstimator(BaseEstimator):
    """A scikit-learn estimator that can be saved; it keeps what it learned in `learned_`."""

    n_features_in_: int
    feature_names_in_: AnyArray

    def _require_fitted(self) -> None:
        """Raise NotFittedError if nothing has been learned."""
        if not self.is_fitted:  # scikit-learn's own check takes as long as a prediction
            check_is_fitted(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the estimator to exactly this path; `faast.load` restores it, ready to learn on.

        Parameters
        ----------
        path : str or path-like

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If nothing has been learned.
        ValueError
            If the solver is one that a file cannot hold.
        OSError
            If the path cannot be written.
        """
        self._require_fitted()
        persistence.save(self, path)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; with `deep` the settings of the solver too, as solver__NAME."""
        params: dict[str, Any] = super().get_params(deep)
        solver: Any = params.get("solver")
        if deep and isinstance(solver, Solver) and is_dataclass(solver):
            settings = [field.name for field in fields(solver) if field.init]
            params |= {f"{SOLVER}{name}": getattr(solver, name) for name in settings}
        return params

    @all_or_nothing
    def set_params(self, **params: Any) -> Self:
        """Set parameters; solver__NAME sets a setting of the solver, as in a grid search.

        Raises
        ------
        ValueError
            If there is no such parameter, or the solver has no such setting.
        """
        settings = {
            name.removeprefix(SOLVER): params.pop(name)
            for name in list(params)
            if name.startswith(SOLVER)
        }
        super().set_params(**params)
        if settings:
            super().set_params(solver=self._change_solver(settings))
        return self

    def _change_solver(self, settings: dict[str, Any]) -> Solver:
        """Return the solver with other settings; solvers themselves are never changed."""
        solver: Any = as_solver(getattr(self, "solver", ""))
        known = (
            [field.name for field in fields(solver) if field.init] if is_dataclass(solver) else []
        )
        for name in settings:
            if name not in known:
                has = f"its settings are {', '.join(known)}" if known else "it has none"
                raise ValueError(
                    f"{type(solver).__name__} has no setting {name!r}; {has} (set the solver too, "
                    "as in solver=Ridge())"
                )
        changed: Solver = replace(solver, **settings)
        return changed

    @property
    def is_fitted(self) -> bool:
        """Whether the estimator can predict: it has learned rows, or needs none."""
        return self.__sklearn_is_fitted__()

    @property
    def modality(self) -> Modality:
        """Kind of rows that the estimator takes: "features", "text" or "image"."""
        return "features"

    @property
    def encoder_name(self) -> str | None:
        """The encoder's name, without opening it; None where rows are features."""
        return None

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "learned_")

    def _check_features(self, X: Any, *, first: bool) -> AnyArray:
        """Validate a feature matrix (n, d) of any real dtype, or a torch tensor."""
        if is_tensor(X):
            X = to_numpy(X)
        if first or not self._takes_as_is(X):
            X = np.asarray(X) if isinstance(X, list | tuple) else X  # convert it once
            refuse_no_numbers(X, "X")
            X = validate_data(
                self, X, reset=first, ensure_all_finite=False, ensure_min_samples=0, dtype="numeric"
            )
        check_finite(X, "X")
        return X

    def _takes_as_is(self, X: Any) -> bool:
        """Whether rows need no validation by scikit-learn, which takes longer than predicting one.

        It changes nothing about floats of the learned width where columns have no names.
        """
        return (
            type(X) is np.ndarray
            and X.dtype in FLOATS
            and X.ndim == 2
            and X.shape[1] == getattr(self, "n_features_in_", None)
            and not hasattr(self, "feature_names_in_")
        )

    def _feature_state(self) -> dict[str, Any]:
        """Return the width and the names of the features as JSON."""
        names = getattr(self, "feature_names_in_", None)
        return {
            "n_features": self.n_features_in_,
            "feature_names": None if names is None else names.tolist(),
        }

    def _restore_features(self, state: dict[str, Any]) -> None:
        names = state["feature_names"]
        self.n_features_in_ = _positive(state["n_features"])
        if names is not None:
            if len(names) != self.n_features_in_ or not all(type(name) is str for name in names):
                raise ValueError(f"{self.n_features_in_} features cannot have the names {names!r}")
            self.feature_names_in_ = np.asarray(names, dtype=object)

    def _copy_features(self, other: FaastEstimator) -> None:
        """Copy the width and the names of the features from another estimator."""
        self.n_features_in_ = other.n_features_in_
        self._copy_feature_names(other)

    def _copy_feature_names(self, other: FaastEstimator) -> None:
        """Copy the names of the features from another estimator, if it has any."""
        if hasattr(other, "feature_names_in_"):
            self.feature_names_in_ = other.feature_names_in_

    def _require_same_features(self, other: FaastEstimator) -> None:
        """Raise ValueError if another estimator has more or fewer features, or other names."""
        widths = [getattr(one, "n_features_in_", None) for one in (self, other)]
        if None not in widths and widths[0] != widths[1]:
            raise ValueError(
                f"cannot merge models of other columns: {widths[0]} and {widths[1]} columns"
            )
        mine, theirs = (getattr(one, "feature_names_in_", None) for one in (self, other))
        if mine is not None and theirs is not None and not np.array_equal(mine, theirs):
            raise ValueError(
                "cannot merge models of other columns: "
                f"{_first_difference(mine.tolist(), theirs.tolist())}"
            )


def drop_weightless(
    X: AnyArray, y: Given, sample_weight: Any
) -> tuple[AnyArray, Given, FloatArray | None]:
    """Drop rows of weight 0, which must have the same effect as rows that were never seen."""
    weights = as_weights(sample_weight, len(X))
    refuse_lost_weights(weights)
    if len(X) != len(y):
        raise ValueError(f"X and y must have the same number of rows, got {len(X)} and {len(y)}")
    if weights is None or np.all(weights > 0):
        return X, y, weights
    kept = weights > 0
    return X[kept], y[kept], weights[kept]


def describe_scale(scale: float | AnyArray | None) -> Any:
    """Return a scale parameter as JSON."""
    return scale.tolist() if isinstance(scale, np.ndarray | np.generic) else scale


def _positive(number: Any) -> int:
    if type(number) is not int or number < 1:
        raise ValueError(f"n_features must be a positive integer, got {number!r}")
    return number


def _first_difference(mine: list[str], theirs: list[str]) -> str:
    place = next(i for i, pair in enumerate(zip(mine, theirs, strict=True)) if pair[0] != pair[1])
    return f"column {place} is {mine[place]!r} here and {theirs[place]!r} there"
