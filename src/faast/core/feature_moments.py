"""Moments of random features; rows are buffered while they take less room than their sums."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.block_sums import BlockSums
from faast.core.grid import BLOCK_ROWS
from faast.core.moments import Moments
from faast.core.random_features import RandomFeatures, most_shifts, random_features_on
from faast.core.sample import EVERY_ROW, RowSample
from faast.core.state import State
from faast.core.sums import select_columns, sum_columns

WAITING_ROWS = 12_288
"""Up to about this many rows take less memory than their mapped sums, and less time to send."""


class Block(NamedTuple):
    """Buffered rows in grid units; sign 1 adds them to the moments, sign -1 removes them."""

    keys: AnyArray
    values: AnyArray
    weights: FloatArray
    sign: int


@dataclass(frozen=True, eq=False)
class FeatureMoments:
    """Moments of the random features of rows; never changed in place.

    Up to `WAITING_ROWS` rows are buffered; once there are more, they are mapped and summed. Sums
    are exact, so the result does not depend on when that happens.

    Attributes
    ----------
    like : Moments
        Moments of the original rows; supplies the grids and widths.
    sums : Moments or None
        Moments of the rows that were mapped and summed; None while all rows are buffered.
    waiting : tuple of Block
        The buffer.
    """

    like: Moments
    sums: Moments | None = None
    waiting: tuple[Block, ...] = ()

    @classmethod
    def from_rows(cls, like: Moments, rows: RowSample) -> FeatureMoments:
        """Buffer all rows of a sample, however many, without summing them."""
        return cls(like, None, (_block_of(rows),))

    def add(self, keys: AnyArray, values: AnyArray, weights: FloatArray | None) -> FeatureMoments:
        """Return the moments with more rows: keys (n, d) and values (n, m), in grid units."""
        counted = np.ones(len(keys)) if weights is None else weights
        block = Block(keys.astype(np.int32), values.astype(np.int32), counted, 1)
        return replace(self, waiting=(*self.waiting, block))._within_limit()

    def merge(self, other: FeatureMoments, like: Moments) -> FeatureMoments:
        """Return the moments of both together, on the grid of `like`."""
        mine, theirs = self._summed_so_far(), other._summed_so_far()
        sums = mine.sums or theirs.sums
        if mine.sums is not None and theirs.sums is not None:
            sums = mine.sums + theirs.sums
        return FeatureMoments(like, sums, (*mine.waiting, *theirs.waiting))._within_limit()

    def unmerge(self, other: FeatureMoments, like: Moments) -> FeatureMoments:
        """Return the moments without the rows of `other`, on the grid of `like`.

        Raises
        ------
        ValueError
            If `other` holds rows that were not learned here, as far as sums can tell.
        """
        mine = self._summed_so_far()
        taken = tuple(block._replace(sign=-block.sign) for block in other.waiting)
        if mine.sums is None:
            if other.sums is not None:
                raise ValueError("rows to forget were never all learned: fewer rows are held")
            left = FeatureMoments(like, None, (*mine.waiting, *taken))
            return left.from_rows(like, left._gather())
        if other.sums is None:
            return FeatureMoments(like, mine.sums, (*mine.waiting, *taken))._within_limit()
        # rows buffered here may be summed in `other`, so the buffer is summed before
        sums = self.moments.copy().unmerge(other.sums)
        return FeatureMoments(like, sums, taken)._within_limit()

    def every_row(self) -> RowSample | None:
        """Return all rows if none was summed yet, else None."""
        return self._gather() if self.sums is None else None

    @cached_property
    def moments(self) -> Moments:
        """Moments of all mapped rows, with every shift; buffered rows are summed on the fly."""
        return self._total(most_shifts(self.like.n_features))

    def first_shifts(self, n_shifts: int) -> Moments:
        """Return the moments of the features of the first `n_shifts` shifts."""
        if self.sums is None and "moments" not in vars(self):
            return self._total(n_shifts)
        return self.moments.first_features(self._features(n_shifts).width)

    def select_outputs(self, columns: AnyArray) -> FeatureMoments:
        """Rearrange the columns of values; see `Moments.select_outputs`."""
        like = self.like.copy().select_outputs(columns)
        summed = self._summed_so_far()
        sums = None if summed.sums is None else summed.sums.copy().select_outputs(columns)
        waiting = tuple(
            block._replace(values=select_columns(block.values, columns)) for block in summed.waiting
        )
        return FeatureMoments(like, sums, waiting)

    def sum_outputs(self, groups: AnyArray) -> FeatureMoments:
        """Add up columns of values; see `Moments.sum_outputs`."""
        like = self.like.copy().sum_outputs(groups)
        summed = self._summed_so_far()
        sums = None if summed.sums is None else summed.sums.copy().sum_outputs(groups)
        waiting = tuple(
            block._replace(values=sum_columns(block.values, groups)) for block in summed.waiting
        )
        return FeatureMoments(like, sums, waiting)

    def decay(self, factor: float) -> FeatureMoments:
        """Return the moments with all sums multiplied by a factor in (0, 1]."""
        return FeatureMoments(self.like, self.moments.copy().decay(factor))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        waiting = sum(b.keys.nbytes + b.values.nbytes + b.weights.nbytes for b in self.waiting)
        return waiting + (0 if self.sums is None else self.sums.nbytes)

    def to_state(self) -> State:
        """Return the content to write: the rows while all are buffered, otherwise the sums."""
        if self.sums is None:
            return State.join({"rows": self._gather().to_state()})
        return State.join({"sums": self.moments.to_state()})

    @classmethod
    def from_state(cls, state: State, like: Moments) -> FeatureMoments:
        """Rebuild; `like` as for the class.

        Raises
        ------
        ValueError
            If rows or sums do not have the widths of `like`, or sums not its number of rows.
        """
        if "sums" not in state.metadata:
            rows = RowSample.from_state(state.part("rows"))
            rows.require_widths(like.n_features, like.n_values)
            return cls.from_rows(like, rows)
        sums = Moments.from_state(state.part("sums"))
        found = cls(like, sums)
        features = found._features(most_shifts(like.n_features))
        expected = Moments(
            features.width, like.n_values, features.key_scale, like.value_scale, like.grid
        )
        if (sums.n_features, sums.n_values) != (expected.n_features, expected.n_values):
            raise ValueError("moments of random features do not fit the moments of their rows")
        if not sums.grids.same_as(expected.grids) or sums.count != like.count:
            raise ValueError("moments of random features are not of the same rows")
        return found

    def _within_limit(self) -> FeatureMoments:
        """Sum the buffered rows if there are more than `WAITING_ROWS`."""
        if self._n_waiting <= WAITING_ROWS:
            return self
        gathered = self
        if self.sums is None:  # equal rows may have come in different blocks
            gathered = self.from_rows(self.like, self._gather())
        if gathered._n_waiting <= WAITING_ROWS:
            return gathered
        return FeatureMoments(self.like, gathered.moments)

    def _summed_so_far(self) -> FeatureMoments:
        """Return the same moments with the buffer emptied, if `moments` was computed already."""
        if self.sums is not None and "moments" in vars(self):
            return FeatureMoments(self.like, self.moments)
        return self

    @property
    def _n_waiting(self) -> int:
        return sum(len(block.keys) for block in self.waiting)

    def _gather(self) -> RowSample:
        """Return the buffered rows, each distinct row once, in the order of their hashes."""
        like = self.like
        blocks = [
            (np.zeros((0, like.n_features), np.int32), np.zeros((0, like.n_values), np.int32), []),
            *((block.keys, block.values, block.sign * block.weights) for block in self.waiting),
        ]
        keys, values, weights = (np.concatenate(part) for part in zip(*blocks, strict=True))
        return RowSample(keys, values, weights, EVERY_ROW)

    def _total(self, n_shifts: int) -> Moments:
        """Return the sums plus those of the buffered rows, mapped with `n_shifts` shifts."""
        total = self.sums
        for sign in (1, -1):
            blocks = [block for block in self.waiting if block.sign == sign]
            if total is None:
                total = self._sum_blocks(blocks, n_shifts)
            elif blocks:
                part = self._sum_blocks(blocks, n_shifts)
                total = total + part if sign > 0 else total.copy().unmerge(part)
        assert total is not None
        return total

    def _sum_blocks(self, blocks: list[Block], n_shifts: int) -> Moments:
        like, features = self.like, self._features(n_shifts)
        sums = BlockSums(features.width, like.n_values, exact=True)
        for block in blocks:
            for start in range(0, len(block.keys), BLOCK_ROWS):
                rows = slice(start, start + BLOCK_ROWS)
                mapped = features(block.keys[rows].astype(np.float64))
                values, weights = block.values[rows].astype(np.float64), block.weights[rows]
                unweighted = None if np.all(weights == 1.0) else weights
                peak = float(max(mapped.max(), -mapped.min(), values.max(), -values.min()))
                sums.add(mapped, values, unweighted, peak)
        moments = Moments(
            features.width,
            like.n_values,
            key_scale=features.key_scale,
            value_scale=like.value_scale,
            grid=like.grid,
        )
        return moments.replace_sums(*sums.finish())

    def _features(self, n_shifts: int) -> RandomFeatures:
        return random_features_on(self.like.key_grid, self.like.n_features, n_shifts)


def _block_of(rows: RowSample) -> Block:
    return Block(rows.keys, rows.values, rows.weights, 1)
