"""Moments of lifted rows; few rows wait as they are, since lifted sums are large."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.grid import BLOCK_ROWS
from faast.core.moments import Moments
from faast.core.persistence import State
from faast.core.random_features import RandomFeatures, most_shifts, random_features_on
from faast.core.sample import EVERY_ROW, RowSample, select_columns
from faast.core.sums import BlockSums

WAITING_ROWS = 12_288
"""Up to about so many, rows take less room than their lifted sums and less time to move."""


class Block(NamedTuple):
    """Rows on the grid that wait, to be added (sign 1) or taken back (sign -1)."""

    keys: AnyArray
    values: AnyArray
    weights: FloatArray
    sign: int


class FeatureMoments:
    """Immutable to its users; combining returns a new one.

    Up to `WAITING_ROWS` distinct rows wait, as a multiset; more are summed. Sums are exact, so it
    does not matter when they are made.

    Parameters
    ----------
    like : Moments
        Of the rows as they are: says the grids.
    sums : Moments, optional
        Of rows lifted before; without them, all rows wait.
    waiting : tuple of Block
    """

    def __init__(
        self, like: Moments, sums: Moments | None = None, waiting: tuple[Block, ...] = ()
    ) -> None:
        self._like, self._sums, self._waiting = like, sums, waiting
        if self._n_waiting > WAITING_ROWS and sums is None:
            self._waiting = (_as_block(self._gathered()),)
        if self._n_waiting > WAITING_ROWS:
            self._settle()

    def add(self, keys: AnyArray, values: AnyArray, weights: FloatArray | None) -> FeatureMoments:
        """Add rows on the grid."""
        counted = np.ones(len(keys)) if weights is None else weights
        block = Block(keys.astype(np.int32), values.astype(np.int32), counted, 1)
        return FeatureMoments(self._like, self._sums, (*self._waiting, block))

    def plus(self, other: FeatureMoments, like: Moments) -> FeatureMoments:
        """Return both together, on the grid of `like`."""
        sums = self._sums or other._sums
        if self._sums is not None and other._sums is not None:
            sums = self._sums + other._sums
        return FeatureMoments(like, sums, (*self._waiting, *other._waiting))

    def minus(self, other: FeatureMoments, like: Moments) -> FeatureMoments:
        """Return this without the other, on the grid of `like`.

        Raises
        ------
        ValueError
            The other has rows that this one has not, as far as that can be told.
        """
        taken = tuple(block._replace(sign=-block.sign) for block in other._waiting)
        if self._sums is None:
            if other._sums is not None:
                raise ValueError("rows to forget were never all learned")
            left = FeatureMoments(like, None, (*self._waiting, *taken))._gathered()
            return FeatureMoments(like, None, (_as_block(left),))
        sums = self._sums if other._sums is None else self._sums.copy().unmerge(other._sums)
        return FeatureMoments(like, sums, (*self._waiting, *taken))

    @property
    def moments(self) -> Moments:
        """Sums of all lifted rows; rows that wait without any go on waiting."""
        if self._sums is None:
            return self._total(most_shifts(self._like.n_features))
        if self._waiting:
            self._settle()
        return self._sums

    def leading(self, n_shifts: int) -> Moments:
        """Return the sums of the first shifts; rows that wait are lifted no further."""
        if self._sums is None:
            return self._total(n_shifts)
        return self.moments.leading(self._lift(n_shifts).width)

    def select_outputs(self, columns: AnyArray) -> FeatureMoments:
        """Rearrange the columns of values; see `Moments.select_outputs`."""
        like = self._like.copy().select_outputs(columns)
        sums = None if self._sums is None else self._sums.copy().select_outputs(columns)
        waiting = tuple(
            block._replace(values=select_columns(block.values, columns)) for block in self._waiting
        )
        return FeatureMoments(like, sums, waiting)

    def decayed(self, factor: float) -> FeatureMoments:
        """Let everything count less."""
        return FeatureMoments(self._like, self.moments.copy().decay(factor))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        waiting = sum(b.keys.nbytes + b.values.nbytes + b.weights.nbytes for b in self._waiting)
        return waiting + (0 if self._sums is None else self._sums.nbytes)

    def to_state(self) -> State:
        """Return what a file keeps: the rows while all of them wait, else the sums."""
        if self._sums is None:
            return State.joined({"rows": self._gathered().to_state()})
        return State.joined({"sums": self.moments.to_state()})

    @classmethod
    def from_state(cls, state: State, like: Moments) -> FeatureMoments:
        """Restore what `to_state` returned; `like` as for the class."""
        if "sums" in state.metadata:
            return cls(like, Moments.from_state(state.part("sums")))
        return cls(like, None, (_as_block(RowSample.from_state(state.part("rows"))),))

    def _settle(self) -> None:
        self._sums, self._waiting = self._total(most_shifts(self._like.n_features)), ()

    @property
    def _n_waiting(self) -> int:
        return sum(len(block.keys) for block in self._waiting)

    def _gathered(self) -> RowSample:
        """Return the waiting rows in an order of their own, each once; none may be missing."""
        like = self._like
        blocks = [
            (np.zeros((0, like.n_features), np.int32), np.zeros((0, like.n_values), np.int32), []),
            *((block.keys, block.values, block.sign * block.weights) for block in self._waiting),
        ]
        keys, values, weights = (np.concatenate(part) for part in zip(*blocks, strict=True))
        return RowSample(keys, values, weights, EVERY_ROW)

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
                peak = float(max(lifted.max(), -lifted.min(), values.max(), -values.min()))
                sums.add(lifted, values, unweighted, peak)
        moments = Moments(
            lift.width,
            like.n_values,
            key_scale=lift.key_scale,
            value_scale=like.value_scale,
            grid=like.grid,
        )
        return moments.replaced(sums.finish())

    def _lift(self, n_shifts: int) -> RandomFeatures:
        return random_features_on(self._like.key_grid, self._like.n_features, n_shifts)


def _as_block(rows: RowSample) -> Block:
    return Block(rows.keys, rows.values, rows.weights, 1)
