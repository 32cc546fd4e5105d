"""Moments of lifted rows, summed when enough rows wait or when someone asks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from faast._typing import AnyArray, FloatArray
from faast.grid import BLOCK_ROWS
from faast.lift import Lift, lift_on, most_shifts
from faast.moments import Moments
from faast.sums import BlockSums

WAITING_ROWS = 16_384
"""Lifted sums are large; adding rows to them one call at a time would mostly move memory."""


class Block(NamedTuple):
    """Rows on the grid that wait, to be added (sign 1) or taken back (sign -1)."""

    keys: AnyArray
    values: AnyArray
    weights: FloatArray
    sign: int


class LiftedMoments:
    """Immutable to its users; combining returns a new one.

    Sums are exact, so it does not matter when they are made.

    Parameters
    ----------
    like : Moments
        Of the rows as they are: says the grids.
    sums : Moments, optional
        Of rows lifted before.
    waiting : tuple of Block
    """

    def __init__(
        self, like: Moments, sums: Moments | None = None, waiting: tuple[Block, ...] = ()
    ) -> None:
        self._like, self._sums, self._waiting = like, sums, waiting
        if sum(len(block.keys) for block in waiting) > WAITING_ROWS:
            self._settle()

    def add(self, keys: AnyArray, values: AnyArray, weights: FloatArray | None) -> LiftedMoments:
        """Add rows on the grid."""
        counted = np.ones(len(keys)) if weights is None else weights
        block = Block(keys.astype(np.int32), values.astype(np.int32), counted, 1)
        return LiftedMoments(self._like, self._sums, (*self._waiting, block))

    def plus(self, other: LiftedMoments, like: Moments, sign: int = 1) -> LiftedMoments:
        """Return both together, or (sign -1) this without the other, on the grid of `like`."""
        waiting = tuple(block._replace(sign=sign * block.sign) for block in other._waiting)
        if self._sums is None or other._sums is None:
            sums = other._sums if self._sums is None and sign > 0 else self._sums
            if sums is None and other._sums is not None:
                raise ValueError("rows to forget were never all learned")
        else:
            mine = self._sums.copy()
            sums = mine.merge(other._sums) if sign > 0 else mine.unmerge(other._sums)
        return LiftedMoments(like, sums, (*self._waiting, *waiting))

    @property
    def moments(self) -> Moments:
        """Sums of all lifted rows."""
        if self._waiting or self._sums is None:
            self._settle()
        assert self._sums is not None
        return self._sums

    def leading(self, n_shifts: int) -> Moments:
        """Return the sums of the first shifts; rows that wait are lifted no further."""
        if self._sums is None:
            return self._total(n_shifts)
        return self.moments.leading(self._lift(n_shifts).width)

    def take_values(self, columns: AnyArray) -> LiftedMoments:
        """Rearrange the columns of values; see `Moments.take_values`."""
        like = self._like.copy().take_values(columns)
        return LiftedMoments(like, self.moments.copy().take_values(columns))

    def decayed(self, factor: float) -> LiftedMoments:
        """Let everything count less."""
        return LiftedMoments(self._like, self.moments.copy().decay(factor))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        waiting = sum(b.keys.nbytes + b.values.nbytes + b.weights.nbytes for b in self._waiting)
        return waiting + (0 if self._sums is None else self._sums.nbytes)

    def _settle(self) -> None:
        self._sums, self._waiting = self._total(most_shifts(self._like.n_features)), ()

    def _total(self, n_shifts: int) -> Moments:
        """Add the waiting rows to the sums, if there are some, of so many shifts."""
        total = self._sums
        for sign in (1, -1):
            blocks = [block for block in self._waiting if block.sign == sign]
            if total is None:
                total = self._summed(blocks, n_shifts)
            elif blocks:
                part = self._summed(blocks, n_shifts)
                total = total + part if sign > 0 else total.copy().unmerge(part)
        assert total is not None
        return total

    def _summed(self, blocks: list[Block], n_shifts: int) -> Moments:
        like, lift = self._like, self._lift(n_shifts)
        sums = BlockSums(lift.width, like.n_values, exact=True)
        for block in blocks:
            for start in range(0, len(block.keys), BLOCK_ROWS):
                rows = slice(start, start + BLOCK_ROWS)
                lifted = lift(block.keys[rows].astype(np.float64))
                values, weights = block.values[rows].astype(np.float64), block.weights[rows]
                unweighted = None if np.all(weights == 1.0) else weights
                peak = max(float(np.abs(lifted).max()), float(np.abs(values).max()))
                sums.add(lifted, values, unweighted, peak)
        moments = Moments(
            lift.width,
            like.n_values,
            key_scale=lift.key_scale,
            value_scale=like.value_scale,
            grid=like.grid,
        )
        return moments.replaced(sums.finish())

    def _lift(self, n_shifts: int) -> Lift:
        return lift_on(self._like.key_grid, self._like.n_features, n_shifts)
