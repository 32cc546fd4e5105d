"""AssociativeMemory: moments, a solver, and the weights solved when they are needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from typing import Any, Self

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.validation import Batch, as_rows, iterate_batches, to_numpy
from faast._version import __version__
from faast.core import persistence
from faast.core.moments import Moments
from faast.core.persistence import State
from faast.core.sample import RowSample, hash_rows
from faast.core.statistics import Statistics, summed
from faast.core.weights import FastWeights
from faast.solvers import Ridge, Solver, describe_solver, solver_from

SELECTION_ROWS = 4096
UNTAUGHT = "nothing has been learned yet; call learn(keys, values) first"


@persistence.persistent("memory")
class AssociativeMemory:
    """Learns keys and values in closed form, and forgets them exactly.

    Parameters
    ----------
    solver : Solver, optional
        ``Ridge()`` by default; the paper's is ``PseudoInverse(alpha=0.8)``.
    selection_rows : int
        Distinct rows kept beside the moments: all of them up to this number (then everything is
        exact, selection included, and rows that were never learned cannot be forgotten), a sample
        past it. 0 keeps none.
    lifts : bool
        Past the kept rows, keep moments of lifted rows too, or up to 12,288 rows themselves; see
        `faast.core.random_features.RandomFeatures`.
    grid, key_scale, value_scale
        See `Moments`.

    Attributes
    ----------
    learned : Statistics or None
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
        solver: Solver | None = None,
        *,
        selection_rows: int = SELECTION_ROWS,
        lifts: bool = False,
        grid: int | None = 20,
        key_scale: float | AnyArray | None = None,
        value_scale: float | AnyArray | None = None,
    ) -> None:
        self.solver = solver if solver is not None else Ridge()
        self.selection_rows = selection_rows
        self.lifts = lifts
        self._grid_settings: dict[str, Any] = {
            "grid": grid,
            "key_scale": key_scale,
            "value_scale": value_scale,
        }
        self.reset()

    def reset(self) -> Self:
        """Forget everything."""
        self.learned: Statistics | None = None
        self._weights: FastWeights | None = None
        return self

    @property
    def moments(self) -> Moments | None:
        """Moments of all rows; None before the first."""
        return None if self.learned is None else self.learned.moments

    @property
    def rows(self) -> RowSample | None:
        """Rows that are kept: all, or a sample; None before the first."""
        return None if self.learned is None else self.learned.rows

    @property
    def count(self) -> float:
        """Number of rows learned, or the sum of their weights."""
        return self.moments.count if self.moments is not None else 0.0

    @property
    def nbytes(self) -> int:
        """Bytes of the moments and the kept rows: what learning on and forgetting need."""
        return 0 if self.learned is None else self.learned.nbytes

    @property
    def weights(self) -> FastWeights:
        """The solver's fast weights, solved when first asked for after a change.

        Raises
        ------
        ValueError
            Nothing has been learned.
        """
        if self._weights is None:
            learned = self._taught()
            if not learned.moments.count:
                raise ValueError(UNTAUGHT)
            self._weights = self.solver.solve(learned.moments, learned.rows)
        return self._weights

    def read(self, queries: Any) -> FloatArray:
        """Read queries: array-like of shape (n, d) to ndarray of shape (n, m), float64."""
        return self.weights.read(queries)

    def learn(self, keys: Any, values: Any = None, weights: Any = None) -> Self:
        """Learn rows; parameters, errors and the state after an error as for `Moments.add`."""
        like, batches = self._prepared(keys, values, weights)
        part = summed(batches, like)
        return self._set(part if self.learned is None else like.plus(part))

    def forget(self, keys: Any, values: Any = None, weights: Any = None) -> Self:
        """Forget rows that were learned, as if they had never been seen.

        Raises
        ------
        ValueError
            As for `Moments.subtract`. While all rows are kept, any row that was not learned.
        """
        if self.learned is None:
            raise ValueError("nothing has been learned yet, so there is nothing to forget")
        like, batches = self._prepared(keys, values, weights)
        return self._set(like.minus(summed(batches, like, forgetting=True)))

    def merge(self, other: AssociativeMemory) -> Self:
        """Learn everything another memory has learned.

        Raises
        ------
        ValueError
            Other widths, another grid or other scales.
        """
        if other.learned is None:
            return self
        shape = other.learned.moments.n_features, other.learned.moments.n_values
        mine = self.learned or self._nothing(*shape)
        return self._set(mine.plus(other.learned))

    def decay(self, factor: float) -> Self:
        """Let everything learned so far count less, by a factor in (0, 1]; see `Moments.decay`."""
        return self if self.learned is None else self._set(self.learned.decayed(factor))

    def select_outputs(self, columns: AnyArray) -> Self:
        """Rearrange the columns of values; see `Moments.select_outputs`."""
        return self._set(self._taught().select_outputs(columns))

    def loo_values(self) -> FloatArray:
        """Predict the kept rows as if each had not been learned, in their order: (n, m)."""
        learned = self._taught()
        return self.solver.loo_values(learned.moments, learned.rows, self.weights)

    def hashes(self, keys: Any) -> AnyArray:
        """Hash keys as the memory holds them; see `RowSample.hashes`."""
        return hash_rows(self._taught().moments.key_grid.rounded(to_numpy(as_rows(keys, "keys"))))

    def copy(self) -> AssociativeMemory:
        """Return an independent copy."""
        twin = AssociativeMemory(
            self.solver,
            selection_rows=self.selection_rows,
            lifts=self.lifts,
            **self._grid_settings,
        )
        twin.learned, twin._weights = self.learned, self._weights  # never changed in place
        return twin

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one file; `faast.load` restores it, ready to go on learning."""
        persistence.save(self.solved(), path, __version__)

    def solved(self) -> Self:
        """Solve now what would be solved when first read."""
        if self.count:
            _ = self.weights
        return self

    def to_state(self) -> State:
        """Return what a file keeps: fast weights too, where they are solved."""
        settings = {
            name: setting.tolist() if isinstance(setting, np.ndarray) else setting
            for name, setting in self._grid_settings.items()
        }
        parts = {} if self.learned is None else {"learned": self.learned.to_state()}
        if self._weights is not None:
            parts["weights"] = self._weights.to_state()
        return State.joined(
            parts,
            solver=describe_solver(self.solver),
            selection_rows=self.selection_rows,
            lifts=self.lifts,
            grid=settings,
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore what `to_state` returned."""
        metadata = state.metadata
        memory = cls(
            solver_from(metadata["solver"]),
            selection_rows=int(metadata["selection_rows"]),
            lifts=bool(metadata["lifts"]),
            **metadata["grid"],
        )
        if "learned" in metadata:
            memory.learned = Statistics.from_state(state.part("learned"))
        if "weights" in metadata:
            memory._weights = FastWeights.from_state(state.part("weights"))
        return memory

    def _taught(self) -> Statistics:
        if self.learned is None:
            raise ValueError(UNTAUGHT)
        return self.learned

    def _set(self, learned: Statistics) -> Self:
        self.learned, self._weights = learned, None
        return self

    def _prepared(self, keys: Any, values: Any, weights: Any) -> tuple[Statistics, Iterator[Batch]]:
        """Return what rows are to be added to or taken from, and the rows in checked batches."""
        if self.learned is not None:
            moments = self.learned.moments
            widths = moments.n_features, moments.n_values
            return self.learned, iterate_batches(keys, values, weights, *widths)
        batches = iterate_batches(keys, values, weights)
        first = next(batches, None)
        if first is None:
            raise ValueError("there is no batch to learn: the iterable is empty")
        nothing = self._nothing(first.keys.shape[1], first.values.shape[1])
        return nothing, chain([first], batches)

    def _nothing(self, n_features: int, n_values: int) -> Statistics:
        moments = Moments(n_features, n_values, **self._grid_settings)
        return Statistics.nothing(moments, self.selection_rows, self.lifts)
