"""AssociativeMemory: moments, a solver, and the weights solved when they are needed."""

from __future__ import annotations

import os
from itertools import chain
from typing import Any, Self

import numpy as np

from faast import persistence
from faast._typing import AnyArray, FloatArray
from faast._version import __version__
from faast.inputs import as_rows, iterate_batches, to_numpy
from faast.moments import Moments
from faast.rows import KeptRows, RowSampler, hash_rows
from faast.solvers import Ridge, Solver, describe_solver, solver_from
from faast.state import State
from faast.weights import FastWeights

SELECTION_ROWS = 4096
EVERY_ROW = 2**62


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
    grid, key_scale, value_scale
        See `Moments`.

    Attributes
    ----------
    moments : Moments or None
        None before the first rows.
    rows : KeptRows or None

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
        grid: int | None = 20,
        key_scale: float | AnyArray | None = None,
        value_scale: float | AnyArray | None = None,
    ) -> None:
        self.solver = solver if solver is not None else Ridge()
        self.selection_rows = selection_rows
        self._grid_settings: dict[str, Any] = {
            "grid": grid,
            "key_scale": key_scale,
            "value_scale": value_scale,
        }
        self.reset()

    def reset(self) -> Self:
        """Forget everything."""
        self.moments: Moments | None = None
        self.rows: KeptRows | None = None
        self._weights: FastWeights | None = None
        return self

    @property
    def count(self) -> float:
        """Number of rows learned, or the sum of their weights."""
        return self.moments.count if self.moments is not None else 0.0

    @property
    def nbytes(self) -> int:
        """Bytes of the moments and the kept rows: what learning on and forgetting need."""
        if self.moments is None or self.rows is None:
            return 0
        return self.moments.nbytes + self.rows.nbytes

    @property
    def weights(self) -> FastWeights:
        """The solver's fast weights, solved when first asked for after a change.

        Raises
        ------
        ValueError
            Nothing has been learned.
        """
        if self._weights is None:
            if self.moments is None or self.count == 0:
                raise ValueError("nothing has been learned yet; call learn(keys, values) first")
            self._weights = self.solver.solve(self.moments, self.rows)
        return self._weights

    def read(self, queries: Any) -> FloatArray:
        """Read queries: array-like of shape (n, d) to ndarray of shape (n, m), float64."""
        return self.weights.read(queries)

    def learn(self, keys: Any, values: Any = None, weights: Any = None) -> Self:
        """Learn rows; parameters, errors and the state after an error as for `Moments.add`."""
        return self._merge(*self._summed(keys, values, weights, self.selection_rows))

    def forget(self, keys: Any, values: Any = None, weights: Any = None) -> Self:
        """Forget rows that were learned, as if they had never been seen.

        Raises
        ------
        ValueError
            As for `Moments.subtract`. While all rows are kept, any row that was not learned.
        """
        if self.moments is None or self.rows is None:
            raise ValueError("nothing has been learned yet, so there is nothing to forget")
        moments, rows = self._summed(keys, values, weights, EVERY_ROW)
        left = self.rows.minus(rows)
        self.moments.unmerge(moments)
        self.rows, self._weights = left, None
        return self

    def merge(self, other: AssociativeMemory) -> Self:
        """Learn everything another memory has learned.

        Raises
        ------
        ValueError
            Other widths, another grid or other scales.
        """
        if other.moments is None or other.rows is None:
            return self
        return self._merge(other.moments.copy(), other.rows)

    def decay(self, factor: float) -> Self:
        """Let everything learned so far count less, by a factor in (0, 1]; see `Moments.decay`."""
        if self.moments is not None and self.rows is not None:
            self.moments.decay(factor)
            self.rows = self.rows.scaled(factor)
            self._weights = None
        return self

    def take_values(self, columns: AnyArray) -> Self:
        """Rearrange the columns of values; see `Moments.take_values`."""
        if self.moments is not None and self.rows is not None:
            self.moments.take_values(columns)
            self.rows = self.rows.take_values(columns)
            self._weights = None
        return self

    def loo_values(self) -> FloatArray:
        """Predict the kept rows as if each had not been learned, in their order: (n, m)."""
        weights = self.weights
        assert self.moments is not None
        assert self.rows is not None
        return self.solver.loo_values(self.moments, self.rows, weights)

    def hashes(self, keys: Any) -> AnyArray:
        """Hash keys as the memory would hold them; see `KeptRows.hashes`."""
        if self.moments is None:
            raise ValueError("nothing has been learned yet; call learn(keys, values) first")
        return hash_rows(self.moments.key_grid.rounded(to_numpy(as_rows(keys, "keys"))))

    def copy(self) -> AssociativeMemory:
        """Return an independent copy."""
        twin = AssociativeMemory(
            self.solver, selection_rows=self.selection_rows, **self._grid_settings
        )
        if self.moments is not None:
            twin.moments, twin.rows = self.moments.copy(), self.rows
        twin._weights = self._weights
        return twin

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to one file; `faast.load` restores it, ready to go on learning."""
        persistence.save(self, path, __version__)

    def to_state(self) -> State:
        """Return what a file keeps."""
        settings = {
            name: setting.tolist() if isinstance(setting, np.ndarray) else setting
            for name, setting in self._grid_settings.items()
        }
        parts: dict[str, State] = {}
        if self.moments is not None and self.rows is not None:
            parts = {"moments": self.moments.to_state(), "rows": self.rows.to_state()}
            if self.count:
                parts["weights"] = self.weights.to_state()
        return State.joined(
            parts,
            solver=describe_solver(self.solver),
            selection_rows=self.selection_rows,
            grid=settings,
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore what `to_state` returned."""
        metadata = state.metadata
        memory = cls(
            solver_from(metadata["solver"]),
            selection_rows=int(metadata["selection_rows"]),
            **metadata["grid"],
        )
        if "moments" in metadata:
            memory.moments = Moments.from_state(state.part("moments"))
            memory.rows = KeptRows.from_state(state.part("rows"))
            if "weights" in metadata:
                memory._weights = FastWeights.from_state(state.part("weights"))
        return memory

    def _summed(
        self, keys: Any, values: Any, weights: Any, capacity: int
    ) -> tuple[Moments, KeptRows]:
        """Sum rows apart from the memory, which is left as it is."""
        widths = (None, None)
        if self.moments is not None:
            widths = self.moments.n_features, self.moments.n_values  # type: ignore[assignment]
        batches = iterate_batches(keys, values, weights, *widths)
        first = next(batches, None)
        if first is None:
            raise ValueError("there is no batch to learn or forget: the iterable is empty")
        like = self.moments or Moments(
            first.keys.shape[1], first.values.shape[1], **self._grid_settings
        )
        bar = {} if self.rows is None else {"bar": self.rows.bar}
        sampler = RowSampler(like.n_features, like.n_values, capacity, **bar)
        return like.summed(chain([first], batches), sampler.visit), sampler.rows()

    def _merge(self, moments: Moments, rows: KeptRows) -> Self:
        if self.moments is None or self.rows is None:
            self.moments, self.rows = moments, rows.limited(self.selection_rows)
        else:
            kept = self.rows.plus(rows)
            self.moments.merge(moments)
            self.rows = kept
        self._weights = None
        return self
