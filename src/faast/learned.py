"""All a memory knows: moments, kept rows and, once rows are too many to keep, lifted moments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from faast._typing import AnyArray, FloatArray
from faast.grid import BLOCK_ROWS
from faast.inputs import Batch
from faast.lift import Lift
from faast.moments import Moments
from faast.rows import KeptRows, hash_rows
from faast.state import State
from faast.sums import BlockSums

EVERY_ROW = 2**62
"""A capacity that no rows exceed."""


@dataclass(frozen=True, eq=False)
class Learned:
    """Sums and rows that belong together; combining returns a new one.

    Attributes
    ----------
    moments : Moments
    rows : KeptRows
        All rows while they fit, else a sample.
    lifted : Moments or None
        Moments of the lifted rows. None while all rows are kept, which can still be lifted, and
        where lifting was not asked for.
    lifts : bool
        Whether lifted moments are to be kept once rows are too many.
    """

    moments: Moments
    rows: KeptRows
    lifted: Moments | None
    lifts: bool

    @classmethod
    def nothing(cls, moments: Moments, capacity: int, lifts: bool) -> Learned:
        """Begin with empty moments."""
        rows = KeptRows.none(moments.n_features, moments.n_values, capacity)
        return cls(moments, rows, None, lifts and moments.grid is not None)

    def plus(self, other: Learned) -> Learned:
        """Return what both have learned together."""
        rows = self.rows.plus(other.rows)
        moments = self.moments + other.moments
        lifted = None
        if self.lifts and not rows.complete:
            lifted = self.with_lifted().merge(other.with_lifted())
        return replace(self, moments=moments, rows=rows, lifted=lifted)

    def minus(self, other: Learned) -> Learned:
        """Return what is left when everything the other has learned is forgotten.

        Raises
        ------
        ValueError
            The other has learned what this one has not.
        """
        rows = self.rows.minus(other.rows)
        moments = self.moments.copy().unmerge(other.moments)
        lifted = self.lifted
        if lifted is not None:
            lifted = lifted.copy().unmerge(other.with_lifted())
        return replace(self, moments=moments, rows=rows, lifted=lifted)

    def with_lifted(self) -> Moments:
        """Return lifted moments: a copy of those kept, or summed from the rows, all of them kept."""
        if self.lifted is not None:
            return self.lifted.copy()
        sums = LiftedSums(self.moments)
        sums.visit_rows(self.rows)
        return sums.finish()

    def decayed(self, factor: float) -> Learned:
        """Let everything count less."""
        lifted = None if self.lifted is None else self.lifted.copy().decay(factor)
        moments = self.moments.copy().decay(factor)
        return replace(self, moments=moments, rows=self.rows.scaled(factor), lifted=lifted)

    def take_values(self, columns: AnyArray) -> Learned:
        """Rearrange the columns of values; see `Moments.take_values`."""
        lifted = None if self.lifted is None else self.lifted.copy().take_values(columns)
        moments = self.moments.copy().take_values(columns)
        return replace(self, moments=moments, rows=self.rows.take_values(columns), lifted=lifted)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        held = self.moments.nbytes + self.rows.nbytes
        return held if self.lifted is None else held + self.lifted.nbytes

    def to_state(self) -> State:
        """Return what a file keeps."""
        parts = {"moments": self.moments.to_state(), "rows": self.rows.to_state()}
        if self.lifted is not None:
            parts["lifted"] = self.lifted.to_state()
        return State.joined(parts, lifts=self.lifts)

    @classmethod
    def from_state(cls, state: State) -> Learned:
        """Restore what `to_state` returned."""
        moments = Moments.from_state(state.part("moments"))
        rows = KeptRows.from_state(state.part("rows"))
        lifted = Moments.from_state(state.part("lifted")) if "lifted" in state.metadata else None
        return cls(moments, rows, lifted, bool(state.metadata["lifts"]))


def summed(batches: Iterable[Batch], like: Learned, *, forgetting: bool = False) -> Learned:
    """Sum batches apart from what has been learned, on the same grid and with the same sample.

    Parameters
    ----------
    batches : iterable of Batch
    like : Learned
        Left as it is.
    forgetting : bool
        The rows are to be taken back: those of them that the sample of `like` would hold are all
        kept, however many.
    """
    collector = _Collector(like, EVERY_ROW if forgetting else like.rows.capacity)
    return collector.finish(like.moments.summed(batches, collector.visit))


class LiftedSums:
    """Sums of lifted rows, block by block.

    Parameters
    ----------
    moments : Moments
        Of the rows as they are: says the grids.
    """

    def __init__(self, moments: Moments) -> None:
        self._moments = moments
        self._sums: BlockSums | None = None

    def visit(self, keys: FloatArray, values: FloatArray, weights: FloatArray | None) -> None:
        """Lift and add a block of grid rows."""
        lift = lift_for(self._moments)
        if self._sums is None:
            self._sums = BlockSums(lift.width, values.shape[1], exact=True)
        lifted = lift(keys)
        peak = max(float(lifted.max()), -float(lifted.min()), float(np.abs(values).max()))
        self._sums.add_certified(lifted, values, weights, peak)

    def visit_rows(self, rows: KeptRows) -> None:
        """Lift and add kept rows."""
        for start in range(0, len(rows), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            keys, values = (
                rows.keys[block].astype(np.float64),
                rows.values[block].astype(np.float64),
            )
            self.visit(keys, values, rows.weights[block])

    def finish(self) -> Moments:
        """Return the moments of the lifted rows."""
        lift = lift_for(self._moments)
        lifted = Moments(
            lift.width,
            self._moments.n_values,
            key_scale=lift.key_scale,
            value_scale=self._moments.value_scale,
            grid=self._moments.grid,
        )
        return lifted if self._sums is None else lifted.replaced(self._sums.finish())


def lift_for(moments: Moments) -> Lift:
    """Return the lift of rows on the grid of these moments."""
    assert moments.grid is not None
    return _lift(moments.n_features, moments.grid, np.ndim(moments.key_scale) == 0)


@lru_cache(maxsize=4)
def _lift(n_features: int, bits: int, bounded: bool) -> Lift:
    return Lift(n_features, bits, bounded)


class _Collector:
    """Keeps rows of a stream while they fit, then a sample of them beside lifted sums."""

    def __init__(self, like: Learned, capacity: int) -> None:
        shape = like.moments.n_features, like.moments.n_values
        self._capacity, self._lifts = capacity, like.lifts
        self._kept = KeptRows.none(*shape, capacity, like.rows.bar)
        self._staged: list[KeptRows] = []
        self._lifted: LiftedSums | None = None

    def visit(
        self, part: Moments, keys: FloatArray, values: FloatArray, weights: FloatArray | None
    ) -> None:
        """Take a block of rows on the grid of `part`."""
        hashes = hash_rows(keys)
        below = np.flatnonzero(hashes < self._kept.bar)
        taken = np.ones(len(below)) if weights is None else weights[below]
        self._staged.append(
            KeptRows(keys[below], values[below], taken, EVERY_ROW, self._kept.bar, hashes[below])
        )
        if self._lifts and not self._kept.complete:
            self._lifted = self._lifted or LiftedSums(part)
            self._lifted.visit(keys, values, weights)
        if sum(map(len, self._staged)) > self._capacity:
            self._settle(part)

    def finish(self, part: Moments) -> Learned:
        """Return what was collected beside the moments of the same rows."""
        self._settle(part)
        lifted = None
        if self._lifts and not self._kept.complete:
            lifted = (self._lifted or LiftedSums(part)).finish()
        return Learned(part, self._kept, lifted, self._lifts)

    def _settle(self, part: Moments) -> None:
        everything = self._kept.limited(EVERY_ROW)
        for block in self._staged:
            everything = everything.plus(block)
        kept, self._staged = everything.limited(self._capacity), []
        if self._lifts and self._kept.complete and not kept.complete:
            self._lifted = LiftedSums(part)  # the last moment that all rows are at hand
            self._lifted.visit_rows(everything)
        self._kept = kept
