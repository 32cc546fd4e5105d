"""AssociativeMemory: learn and forget pairs of keys and values; read the values of queries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache, partial
from itertools import chain
from typing import Any, Self

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import Batch, iterate_batches
from faast.core import persistence
from faast.core.moments import Moments
from faast.core.row_weights import refuse_lost_weights
from faast.core.sample import RowSample
from faast.core.state import State
from faast.core.statistics import Statistics
from faast.core.weights import FastWeights
from faast.estimators.base import all_or_nothing, describe_scale
from faast.solvers import Ridge, Solution, Solver, as_solver, describe_solver, solver_from

SELECTION_ROWS = 4096
"""Number of rows kept by default."""

EMPTY = "nothing has been learned yet; call learn(keys, values) first"


class AssociativeMemory:
    """Learns keys and values in closed form, and forgets them exactly.

    Parameters
    ----------
    solver : Solver or "auto", optional
        ``Ridge()`` by default; the paper's is ``PseudoInverse(alpha=0.8)``.
    selection_rows : int
        Distinct rows kept beside the moments. Up to this number all rows are kept. Then everything
        is exact, selection of settings included, and forgetting a row that was never learned is an
        error. Beyond it a sample is kept. 0 keeps no rows.
    grid, key_scale, value_scale
        See `Moments`.

    Attributes
    ----------
    statistics : Statistics or None
        Moments and rows; None before the first rows. Never changed in place.

    Examples
    --------
    >>> import numpy as np
    >>> from faast import AssociativeMemory, PseudoInverse
    >>> memory = AssociativeMemory(PseudoInverse(alpha=0.8)).learn(np.eye(3), np.eye(3)[::-1])
    >>> memory.read(np.eye(3)).round(6).tolist()
    [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """

    def __init__(
        self,
        solver: Solver | str | None = None,
        *,
        selection_rows: int = SELECTION_ROWS,
        grid: int | None = 20,
        key_scale: float | AnyArray | None = None,
        value_scale: float | AnyArray | None = None,
    ) -> None:
        self.solver = Ridge() if solver is None else as_solver(solver)
        self.selection_rows = check_capacity(selection_rows)
        self._grid_settings: dict[str, Any] = {
            "grid": grid,
            "key_scale": key_scale,
            "value_scale": value_scale,
        }
        self.reset()

    def reset(self) -> Self:
        """Forget everything."""
        self.statistics: Statistics | None = None
        self._solution: Solution | None = None
        return self

    @property
    def moments(self) -> Moments | None:
        """Moments of all rows; None before the first row."""
        return None if self.statistics is None else self.statistics.moments

    @property
    def rows(self) -> RowSample | None:
        """Rows that are kept, all or a sample; None before the first row."""
        return None if self.statistics is None else self.statistics.rows

    @property
    def count(self) -> float:
        """Number of rows learned, or the sum of their weights."""
        return self.moments.count if self.moments is not None else 0.0

    @property
    def nbytes(self) -> int:
        """Bytes of the statistics, which further learning and forgetting need."""
        return 0 if self.statistics is None else self.statistics.nbytes

    @property
    def solution(self) -> Solution:
        """The solver's solution, computed on first access after a change.

        Raises
        ------
        ValueError
            If nothing has been learned.
        """
        if self._solution is None:
            if self.statistics is None or not self.count:
                raise ValueError(EMPTY)
            self._solution = self.solver.fit(self.statistics)
        return self._solution

    @property
    def weights(self) -> FastWeights:
        """The fast weights of `solution`."""
        return self.solution.weights

    def read(self, queries: Any) -> FloatArray:
        """Return the values of queries.

        Parameters
        ----------
        queries : array-like of shape (n, d)

        Returns
        -------
        ndarray of shape (n, m), float64

        Raises
        ------
        ValueError
            If nothing has been learned, or the queries do not fit.
        """
        return self.weights.read(queries)

    @all_or_nothing
    def learn(self, keys: Any, values: Any = None, weights: Any = None) -> Self:
        """Learn rows; parameters and errors as for `Moments.add`. An error changes nothing."""
        mine, batches = self._checked(keys, values, weights)
        part = mine.sum_batches(batches)
        return self._replace(part if self.statistics is None else mine.merge(part))

    @all_or_nothing
    def forget(self, keys: Any, values: Any = None, weights: Any = None) -> Self:
        """Forget rows that were learned, as if they had never been seen.

        Raises
        ------
        ValueError
            As for `Moments.subtract`; while all rows are kept, also if any row was not learned.
        """
        if self.statistics is None:
            raise ValueError("nothing has been learned yet, so there is nothing to forget")
        mine, batches = self._checked(keys, values, weights)
        return self._replace(mine.unmerge(mine.sum_batches(batches, forgetting=True)))

    @all_or_nothing
    def merge(self, other: AssociativeMemory) -> Self:
        """Learn everything another memory has learned.

        Raises
        ------
        ValueError
            If widths, grids or scales differ.
        """
        if other.statistics is None:
            return self
        shape = other.statistics.moments.n_features, other.statistics.moments.n_values
        return self._replace((self.statistics or self._nothing(*shape)).merge(other.statistics))

    @all_or_nothing
    def decay(self, factor: float) -> Self:
        """Multiply the weight of everything learned by a factor in (0, 1]; see `Moments.decay`."""
        return self if self.statistics is None else self._replace(self.statistics.decay(factor))

    def loo_values(self) -> FloatArray:
        """Return leave-one-out predictions of the kept rows: (n, m), in the order of `rows`."""
        return self.solution.loo_scores

    def copy(self) -> AssociativeMemory:
        """Return an independent copy."""
        twin = AssociativeMemory(
            self.solver, selection_rows=self.selection_rows, **self._grid_settings
        )
        twin.statistics, twin._solution = self.statistics, self._solution
        return twin

    def with_solver(self, solver: Solver | str) -> AssociativeMemory:
        """Return an independent copy that is solved by another solver."""
        twin = self.copy()
        twin.solver, twin._solution = as_solver(solver), None
        return twin

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the memory to one file; `faast.load` restores it, ready to go on learning."""
        persistence.save(self, path)

    def to_state(self) -> State:
        """Return the content to write, with the fast weights if they are solved."""
        settings = {name: describe_scale(s) for name, s in self._grid_settings.items()}
        parts = {} if self.statistics is None else {"statistics": self.statistics.to_state()}
        if self._solution is not None:
            parts["weights"] = self._solution.weights.to_state()
        return State.join(
            parts,
            solver=describe_solver(self.solver),
            selection_rows=self.selection_rows,
            grid=settings,
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Rebuild a memory; errors as for `faast.load`."""
        metadata = state.metadata
        memory = cls(
            solver_from(metadata["solver"]),
            selection_rows=metadata["selection_rows"],
            **metadata["grid"],
        )
        if "statistics" in metadata:
            memory.statistics = Statistics.from_state(state.part("statistics"))
        if "weights" in metadata:
            weights = FastWeights.from_state(state.part("weights"))
            moments = memory.moments
            if (
                moments is None
                or memory.statistics is None
                or weights.matrix.shape != (moments.n_features, moments.n_values)
            ):
                raise ValueError("the fast weights do not fit the moments")
            # files hold no leave-one-out predictions: solve again if they are read
            again = cache(partial(memory.solver.fit, memory.statistics))
            memory._solution = Solution(
                weights,
                lambda: again().loo_scores,
                lambda rows: again().leave_out(rows),
                measure_spread=lambda: again().spread,
            )
        return memory

    def _replace(self, statistics: Statistics) -> Self:
        self.statistics, self._solution = statistics, None
        return self

    def _checked(self, keys: Any, values: Any, weights: Any) -> tuple[Statistics, Iterator[Batch]]:
        """Return the statistics so far, and the rows in checked batches."""
        if self.statistics is not None:
            moments = self.statistics.moments
            widths = moments.n_features, moments.n_values
            batches = iterate_batches(keys, values, weights, *widths)
            return self.statistics, map(_with_weights_that_count, batches)
        batches = map(_with_weights_that_count, iterate_batches(keys, values, weights))
        first = next(batches, None)
        if first is None:
            raise ValueError("there is no batch to learn: the iterable is empty")
        nothing = self._nothing(first.keys.shape[1], first.values.shape[1])
        return nothing, chain([first], batches)

    def _nothing(self, n_features: int, n_values: int) -> Statistics:
        moments = Moments(n_features, n_values, **self._grid_settings)
        return Statistics.empty(moments, self.selection_rows, maps=False)


def _with_weights_that_count(batch: Batch) -> Batch:
    refuse_lost_weights(batch.weights, batch.first_row)
    return batch


def check_capacity(selection_rows: Any) -> int:
    """Check the number of rows to keep: an integer, not negative."""
    whole = isinstance(selection_rows, int | np.integer) and not isinstance(selection_rows, bool)
    if not whole or not 0 <= selection_rows < 2**62:
        raise ValueError(f"selection_rows must be a whole number of rows, got {selection_rows!r}")
    return int(selection_rows)
