"""All a memory knows: moments, kept rows and, once rows are too many to keep, lifted moments.

Equal class priors from moments: class means keep, the pooled scatter stays, counts are equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from faast._utils.arrays import AnyArray
from faast._utils.validation import Batch
from faast.core.feature_moments import FeatureMoments
from faast.core.moments import Moments
from faast.core.persistence import State
from faast.core.random_features import most_shifts
from faast.core.sample import EVERY_ROW, RowSample, hash_rows
from faast.core.sums import GridBlock


@dataclass(frozen=True, eq=False)
class Statistics:
    """Sums and rows that belong together; combining returns a new one.

    Attributes
    ----------
    moments : Moments
    rows : RowSample
        All rows while they fit, else a sample.
    lifted : FeatureMoments or None
        Moments of the lifted rows. None while all rows are kept, which can still be lifted, and
        where lifting was not asked for.
    lifts : bool
        Whether lifted moments are to be kept once rows are too many.
    """

    moments: Moments
    rows: RowSample
    lifted: FeatureMoments | None
    lifts: bool

    @classmethod
    def nothing(cls, moments: Moments, capacity: int, lifts: bool) -> Statistics:
        """Begin with empty moments."""
        rows = RowSample.none(moments.n_features, moments.n_values, capacity)
        can = capacity > 0 and moments.grid is not None and most_shifts(moments.n_features) > 0
        return cls(moments, rows, None, lifts and can)

    def plus(self, other: Statistics) -> Statistics:
        """Return what both have learned together."""
        rows = self.rows.plus(other.rows)
        moments = self.moments + other.moments
        lifted = None
        if self.lifts and not rows.complete:
            lifted = self.with_mapped().plus(other.with_mapped(), moments)
        return replace(self, moments=moments, rows=rows, lifted=lifted)

    def minus(self, other: Statistics) -> Statistics:
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
            lifted = lifted.minus(other.with_mapped(), moments)
        return replace(self, moments=moments, rows=rows, lifted=lifted)

    def with_mapped(self) -> FeatureMoments:
        """Return lifted moments: those kept, or those of the rows, all of them kept."""
        if self.lifted is not None:
            return self.lifted
        rows = self.rows
        return FeatureMoments(self.moments).add(rows.keys, rows.values, rows.weights)

    def decayed(self, factor: float) -> Statistics:
        """Let everything count less."""
        lifted = None if self.lifted is None else self.lifted.decayed(factor)
        moments = self.moments.copy().decay(factor)
        return replace(self, moments=moments, rows=self.rows.scaled(factor), lifted=lifted)

    def select_outputs(self, columns: AnyArray) -> Statistics:
        """Rearrange the columns of values; see `Moments.select_outputs`."""
        lifted = None if self.lifted is None else self.lifted.select_outputs(columns)
        moments = self.moments.copy().select_outputs(columns)
        return replace(self, moments=moments, rows=self.rows.select_outputs(columns), lifted=lifted)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        held = self.moments.nbytes + self.rows.nbytes
        return held if self.lifted is None else held + self.lifted.nbytes

    def to_state(self) -> State:
        """Return what a file keeps: no sums where all rows are kept and take less room."""
        told = self.rows.complete and self.moments.exact
        brief = told and 2 * self.rows.nbytes < self.moments.nbytes  # half of the Gram matrix
        moments = self.moments.outline() if brief else self.moments.to_state()
        parts = {"moments": moments, "rows": self.rows.to_state()}
        if self.lifted is not None:
            parts["lifted"] = self.lifted.to_state()
        return State.joined(parts, lifts=self.lifts)

    @classmethod
    def from_state(cls, state: State) -> Statistics:
        """Restore what `to_state` returned."""
        moments = Moments.from_state(state.part("moments"))
        rows = RowSample.from_state(state.part("rows"))
        if not moments.count and len(rows):
            moments = moments.summed([_as_batch(rows, moments)])
        lifted = None
        if "lifted" in state.metadata:
            lifted = FeatureMoments.from_state(state.part("lifted"), moments)
        return cls(moments, rows, lifted, bool(state.metadata["lifts"]))


def _as_batch(rows: RowSample, like: Moments) -> Batch:
    """Return rows as they were learned."""
    weights = None if np.all(rows.weights == 1.0) else rows.weights
    return Batch(*like.from_grid(rows.keys, rows.values), weights, 0)


def summed(batches: Iterable[Batch], like: Statistics, *, forgetting: bool = False) -> Statistics:
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


class _Collector:
    """Keeps rows of a stream while they fit, then a sample of them beside lifted sums."""

    def __init__(self, like: Statistics, capacity: int) -> None:
        shape = like.moments.n_features, like.moments.n_values
        self._capacity, self._lifts = capacity, like.lifts
        self._kept = RowSample.none(*shape, capacity, like.rows.threshold)
        self._staged: list[tuple[AnyArray, ...]] = []
        self._lifted: FeatureMoments | None = None

    def visit(self, part: Moments, block: GridBlock) -> None:
        """Take a block of rows on the grid of `part`."""
        if self._kept.threshold:
            self._stage(block, np.float64 if part.grid is None else np.int32)
        if self._lifts and not self._kept.complete:
            lifted = self._lifted or FeatureMoments(part)
            self._lifted = lifted.add(block.keys, block.values, block.weights)
        if sum(len(staged[0]) for staged in self._staged) > self._capacity:
            self._settle(part)

    def _stage(self, block: GridBlock, dtype: type) -> None:
        hashes = hash_rows(block.keys)
        below = np.flatnonzero(hashes < self._kept.threshold)
        keys: AnyArray = block.keys[below].astype(dtype)
        values: AnyArray = block.values[below].astype(dtype)
        weights = np.ones(len(below)) if block.weights is None else block.weights[below]
        self._staged.append((keys, values, weights, hashes[below]))

    def finish(self, part: Moments) -> Statistics:
        """Return what was collected beside the moments of the same rows."""
        self._settle(part)
        lifted = None
        if self._lifts and not self._kept.complete:
            lifted = self._lifted or FeatureMoments(part)
        return Statistics(part, self._kept, lifted, self._lifts)

    def _settle(self, part: Moments) -> None:
        held = self._kept
        blocks = [(held.keys, held.values, held.weights, held.hashes), *self._staged]
        keys, values, weights, hashes = (np.concatenate(part) for part in zip(*blocks, strict=True))
        self._staged = []
        self._kept = RowSample(keys, values, weights, self._capacity, held.threshold, hashes)
        if self._lifts and held.complete and not self._kept.complete:
            # the last moment that all rows are at hand
            self._lifted = FeatureMoments(part).add(keys, values, weights)


def equal_priors(moments: Moments, rows: RowSample) -> tuple[Moments, RowSample]:
    """Return moments (float64) and rows as if every class had the same number of rows.

    With class means m_c and n = N / C rows a class, G becomes the scatter within classes, as it is,
    plus n sum_c m_c m_cᵀ. No Gram matrix a class is needed.

    Parameters
    ----------
    moments : Moments
        Values are classes (one-hot).
    rows : RowSample
        Reweighted, and marked as a sample: their own scatter would not be the pooled one.
    """
    counts = moments.value_sum
    seen = counts > 0
    means = moments.cross[:, seen] / counts[seen]
    equal = np.where(seen, moments.count / np.count_nonzero(seen), 0.0)
    gram = moments.gram + (means * (equal - counts)[seen]) @ means.T
    cross = np.zeros_like(moments.cross)
    cross[:, seen] = means * equal[seen]
    sums = {
        "count": np.asarray(moments.count),
        "gram": np.tril(gram),
        "cross": cross,
        "key_sum": cross.sum(axis=1),
        "value_sum": equal,
        "value_square_sum": equal,
    }
    factors = np.divide(equal, counts, out=np.zeros_like(counts), where=seen)
    keys, values = moments.from_grid(rows.keys, rows.values)
    weights = rows.weights * factors[values.argmax(axis=1)]
    return Moments.from_sums(sums), RowSample.sample(keys, values, weights)
