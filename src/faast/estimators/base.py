"""What the classifier and the regressor share."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import as_weights, check_finite, is_tensor, to_numpy
from faast._version import __version__
from faast.core import persistence
from faast.estimators.memory import AssociativeMemory
from faast.solvers import Natural, Ridge, Solver, describe_solver, solver_from

COMPACTED = (
    "this model was compacted: it holds weights only and can neither learn nor forget; keep the "
    "model it was made from for that"
)


class MemoryEstimator(BaseEstimator):
    """An estimator around an `AssociativeMemory`.

    Subclasses take `solver`, `selection_rows` and `key_scale`, build their memory with
    `_new_memory` and keep what they learned in ``learned_``.
    """

    solver: Solver | Natural | str
    selection_rows: int
    key_scale: float | AnyArray | None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to exactly this path; `faast.load` restores it, ready to learn on.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Nothing has been learned.
        ValueError
            A label or solver that a file cannot keep.
        """
        check_is_fitted(self)
        persistence.save(self, path, __version__)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "learned_")

    def _rows(self, X: Any, *, first: bool) -> AnyArray:
        """Check a feature matrix; any real dtype, torch tensors included."""
        if is_tensor(X):
            X = to_numpy(X)
        X = validate_data(
            self, X, reset=first, ensure_all_finite=False, ensure_min_samples=0, dtype="numeric"
        )
        check_finite(X, "X")
        return X

    def _new_memory(self, **settings: Any) -> AssociativeMemory:
        solver = Ridge() if self.solver == "auto" else self.solver
        if not isinstance(solver, Solver):
            raise ValueError(f'solver must be "auto" or a solver such as Ridge(), got {solver!r}')
        return AssociativeMemory(
            solver, selection_rows=self.selection_rows, key_scale=self.key_scale, **settings
        )

    def _settings(self) -> dict[str, Any]:
        """Describe the constructor's parameters as JSON."""
        solver, scale = self.solver, self.key_scale
        return {
            "solver": solver if isinstance(solver, str) else describe_solver(solver),
            "selection_rows": self.selection_rows,
            "key_scale": scale.tolist() if isinstance(scale, np.ndarray) else scale,
        }

    @classmethod
    def _settings_from(cls, described: dict[str, Any]) -> dict[str, Any]:
        solver = described["solver"]
        return {**described, "solver": solver if isinstance(solver, str) else solver_from(solver)}


def without_weightless(
    X: AnyArray, y: AnyArray, sample_weight: Any
) -> tuple[AnyArray, AnyArray, FloatArray | None]:
    """Drop rows of weight 0: they are no different from rows that were never seen."""
    weights = as_weights(sample_weight, len(X))
    if len(X) != len(y):
        raise ValueError(f"X and y must have the same number of rows, got {len(X)} and {len(y)}")
    if weights is None or np.all(weights > 0):
        return X, y, weights
    kept = weights > 0
    return X[kept], y[kept], weights[kept]
