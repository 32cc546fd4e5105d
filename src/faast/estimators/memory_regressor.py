"""A regressor with a memory, which is solved at the first prediction after a change."""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin, clone
from sklearn.utils import Tags

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.state import State
from faast.core.weights import FastWeights
from faast.estimators.base import COMPACTED, describe_scale
from faast.estimators.left_out_errors import LeftOutErrors, check_share
from faast.estimators.memory import AssociativeMemory
from faast.estimators.onnx import write_values
from faast.estimators.raw_rows import RawRowsMixin
from faast.estimators.tables import Answers, TablesMixin
from faast.solvers import Solver, as_solver, describe_solver, solver_from


class MemoryRegressor(RegressorMixin, RawRowsMixin, TablesMixin):
    """Base class that predicts values and intervals from a memory, and saves and exports it.

    Subclasses implement learning: they set `learned_` to another `AssociativeMemory`.
    """

    solver: Solver | str
    selection_rows: int
    key_scale: float | AnyArray | None
    value_scale: float | AnyArray | None
    learned_: AssociativeMemory | None
    target_names_: list[str]
    _weights: FastWeights
    _one_output: bool
    _measured: tuple[AssociativeMemory | None, LeftOutErrors | None] = None, None

    def predict(self, X: Any) -> FloatArray:
        """Predict the outputs of rows.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows

        Returns
        -------
        ndarray of shape (n,) or (n, m), float64
        """
        self._require_fitted()
        values = self.weights_.read(self._features(X))
        return values[:, 0] if self._one_output else values

    def predict_interval(self, X: Any, coverage: float = 0.9) -> FloatArray:
        """Predict an interval for each output, which holds the true value by `coverage`.

        Its half width is the conformal quantile of the leave-one-out errors of the learned rows,
        scaled so that intervals widen where rows are far from all learned ones (see
        `LeftOutErrors.half_widths`). Leave-one-out errors have a closed form, so that no row has to
        be set aside and no model has to be fitted again.

        For exchangeable rows, Jackknife+ (Barber et al. 2021) guarantees 1 - 2 (1 - coverage) for
        intervals around the predictions of the left-out models. These are around the prediction of
        the whole model, which differs little once rows outnumber effective directions; in practice
        about the coverage is reached. It holds per target and over all rows, not for each kind of
        row.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows
        coverage : float
            In (0, 1): desired share of rows whose true value is in the interval.

        Returns
        -------
        ndarray of shape (n, 2) or (n, m, 2), float64
            Lower and upper bounds. They are infinite if fewer than coverage / (1 - coverage) rows
            are kept.

        Raises
        ------
        ValueError
            If the coverage is out of range, or the model has no leave-one-out errors; see
            `loo_error_`.
        """
        self._require_fitted()
        coverage, errors = check_share(coverage, "coverage"), self._errors()
        features = self._features(X)
        values, half = self.weights_.read(features), errors.half_widths(features, coverage)
        bounds = np.stack([values - half, values + half], axis=-1)
        return bounds[:, 0] if self._one_output else bounds

    def predict_columns(self, X: Any, coverage: float = 0.9) -> Answers:
        """Predict columns of answers.

        Parameters
        ----------
        X : array-like of shape (n, d), or n raw rows
        coverage : float
            See `predict_interval`.

        Returns
        -------
        dict of str to list of length n
            "value" and, if errors are measured, "lower" and "upper". With several targets each name
            begins with that of its target, as in "price_value"; targets without names are
            target_1, target_2 and so on.
        """
        self._require_fitted()
        errors, coverage = self._errors_or_none(), check_share(coverage, "coverage")
        features = self._features(X)
        columns = {"value": self.weights_.read(features)}
        if errors is not None:
            half = errors.half_widths(features, coverage)
            columns |= {"lower": columns["value"] - half, "upper": columns["value"] + half}
        targets = self._target_names() or [f"target_{i + 1}" for i in range(self.n_targets_)]
        prefixes = [""] if len(targets) == 1 else [f"{target}_" for target in targets]
        return {
            f"{prefix}{name}": values[:, place].tolist()
            for place, prefix in enumerate(prefixes)
            for name, values in columns.items()
        }

    @property
    def weights_(self) -> FastWeights:
        """The fast weights, a linear map from features to outputs."""
        self._require_fitted()
        learned = self._memory_or_none()
        return self._weights if learned is None else learned.weights

    @property
    def loo_r2_(self) -> float | FloatArray:
        """Leave-one-out R² of the kept rows; (m,) for several targets. Errors as `loo_error_`."""
        return self._per_target(self._errors().r2)

    @property
    def loo_error_(self) -> float | FloatArray:
        """Leave-one-out mean absolute error of the kept rows; (m,) for several targets.

        Raises
        ------
        ValueError
            If it cannot be measured; see `measures_errors`.
        """
        return self._per_target(self._errors().mean_absolute)

    @property
    def measures_errors(self) -> bool:
        """Whether at least two rows are kept that can be left out, as errors and intervals need."""
        return self._errors_or_none() is not None

    @property
    def n_rows_(self) -> float:
        """Number of learned rows, or the sum of their weights; ValueError after `compact`."""
        return self._memory().count

    @property
    def n_targets_(self) -> int:
        """Number of targets."""
        self._require_fitted()
        moments = None if self.learned_ is None else self.learned_.moments
        return len(self._weights.bias) if moments is None else moments.n_values

    @property
    def is_exact_(self) -> bool:
        """Whether the state is bit for bit what a fit on the remaining rows would give.

        False if rows were forgotten after rows had become too many to hold (see `selection_rows`),
        or once rows with weights that are not whole numbers were learned.
        """
        statistics = self._memory().statistics
        return statistics is None or statistics.exact

    def compact(self) -> Self:
        """Return a copy for deployment: what predictions and intervals need, no more learning."""
        twin: Self = clone(self)
        twin._copy_form(self)
        twin.learned_, twin._weights = None, self.weights_
        twin._measured = None, self._errors_or_none()
        return twin

    def to_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write an ONNX graph that predicts from features, scaled to norm 1 for an encoder."""
        normalise = self._encoding() is not None
        write_values(self.weights_, path, column=self._one_output, normalise=normalise)

    def to_state(self) -> State:
        """Return the content to write, with weights and errors if they are solved."""
        learned, (measured_from, errors) = self._memory_or_none(), self._measured
        settings = {
            "solver": describe_solver(self.solver),
            "selection_rows": self.selection_rows,
            "key_scale": describe_scale(self.key_scale),
            "value_scale": describe_scale(self.value_scale),
        }
        parts = (
            {"weights": self._weights.to_state()}
            if learned is None
            else {"learned": learned.to_state()}
        )
        if errors is not None and measured_from is learned:
            parts["errors"] = errors.to_state()
        return State.join(
            parts,
            **self._feature_state(),
            one_output=self._one_output,
            target_names=self._target_names(),
            encoder=self.describe_encoder(),
            settings=settings,
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild a regressor; errors as for `faast.load`."""
        metadata = state.metadata
        settings = metadata["settings"]
        restored = cls(**{**settings, "solver": solver_from(settings["solver"])})
        restored._restore_features(metadata)
        restored.restore_encoder(metadata.get("encoder"))  # absent before regressors had one
        restored._one_output = bool(metadata["one_output"])
        if "learned" in metadata:
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
        restored._name_targets(metadata.get("target_names"), shape[1])
        if "errors" in metadata:
            errors = LeftOutErrors.from_state(state.part("errors"))
            errors.require_widths(*shape)
            restored._measured = restored.learned_, errors
        return restored

    def _memory(self) -> AssociativeMemory:
        learned = self._memory_or_none()
        if learned is None:
            raise ValueError(COMPACTED)
        return learned

    def _memory_or_none(self) -> AssociativeMemory | None:
        """Return the memory under the solver that is set now; None after `compact`."""
        self._require_fitted()
        learned = self.learned_
        if learned is not None and learned.solver != as_solver(self.solver):
            learned = self.learned_ = learned.with_solver(self.solver)
        return learned

    def _errors_or_none(self) -> LeftOutErrors | None:
        """Return the leave-one-out errors, which are measured once after each change."""
        learned = self._memory_or_none()
        measured_from, errors = self._measured
        if learned is None or (measured_from is learned and errors is not None):
            return errors
        errors = None
        if learned.statistics is not None and learned.count:
            errors = LeftOutErrors.measure(learned.solution, learned.statistics.sampled_rows())
        self._measured = learned, errors
        return errors

    def _errors(self) -> LeftOutErrors:
        errors = self._errors_or_none()
        if errors is None:
            raise ValueError(
                "errors and intervals need leave-one-out predictions: learn at least two different "
                "rows, keep some of them (selection_rows > 0), and use a solver that measures how "
                "far rows are, such as Ridge(); files of compacted models hold none if they were "
                "written before models measured them"
            )
        return errors

    def _per_target(self, values: FloatArray) -> float | FloatArray:
        return float(values[0]) if self._one_output else values

    def _target_names(self) -> list[str] | None:
        return getattr(self, "target_names_", None)

    def _name_targets(self, names: Any, n_targets: int) -> None:
        """Set the names of the targets; None removes them."""
        self.__dict__.pop("target_names_", None)
        if names is None:
            return
        if len(names) != n_targets or not all(type(name) is str for name in names):
            raise ValueError(f"{n_targets} targets cannot have the names {names!r}")
        self.target_names_ = list(names)

    def _copy_form(self, other: MemoryRegressor) -> None:
        """Copy what another regressor knows of the form of its rows and targets."""
        self._copy_features(other)
        self._reference, self._one_output = other._reference, other._one_output
        self._name_targets(other._target_names(), other.n_targets_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
