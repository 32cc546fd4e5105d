"""Statistics: moments and a sample of the learned rows, from which solvers compute weights."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from faast._utils.arrays import AnyArray
from faast._utils.validation import Batch
from faast.core.feature_rows import FeatureRows
from faast.core.moments import Moments
from faast.core.random_features import most_columns
from faast.core.row_collector import RowCollector
from faast.core.row_hashes import NO_THRESHOLD
from faast.core.sample import EVERY_ROW, RowArrays, RowSample
from faast.core.state import State
from faast.core.sums import packed_bytes


@dataclass(frozen=True, eq=False)
class Statistics:
    """Moments of all rows and a sample of the rows; never changed in place.

    Attributes
    ----------
    moments : Moments
    rows : RowSample
        All rows while they fit, otherwise a sample.
    mapped : FeatureRows or None
        Rows for random features. None if `maps` is False, and while all rows are kept, which serve
        for both.
    maps : bool
        Whether rows for random features are kept beside the sample.
    thinned : bool
        Whether rows were forgotten that the sample could not replace. The sample is then smaller
        than one drawn from the remaining rows would be; the moments are exact all the same.
    """

    moments: Moments
    rows: RowSample
    mapped: FeatureRows | None
    maps: bool
    thinned: bool = False

    @property
    def exact(self) -> bool:
        """Whether they are, bit for bit, those of a fit on the rows that remain, in any order."""
        return self.moments.exact and not self.thinned

    @classmethod
    def empty(cls, moments: Moments, capacity: int, maps: bool) -> Statistics:
        """Return statistics without rows.

        Parameters
        ----------
        moments : Moments
            Without rows.
        capacity : int
            Largest number of distinct rows to keep.
        maps : bool
            Keep rows for random features too, if rows of this width are mapped at all.
        """
        rows = RowSample.empty(moments.n_features, moments.n_values, capacity)
        can = capacity > 0 and moments.grid is not None and most_columns(moments.n_features) > 0
        return cls(moments, rows, None, maps and can)

    def sum_batches(self, batches: Iterable[Batch], *, forgetting: bool = False) -> Statistics:
        """Return statistics of the batches alone, on this grid and with this sample's threshold.

        Parameters
        ----------
        batches : iterable of Batch
        forgetting : bool
            Whether the rows are to be removed: then all rows below the threshold are kept.
        """
        capacity = EVERY_ROW if forgetting else self.rows.capacity
        mapped = NO_THRESHOLD if self.mapped is None else self.mapped.rows.threshold
        collector = RowCollector(self.moments, capacity, self.rows.threshold, self.maps, mapped)
        moments = self.moments.sum_batches(batches, collector.visit)
        return Statistics(moments, *collector.finish(moments), self.maps)

    def merge(self, other: Statistics) -> Statistics:
        """Return the statistics of both together.

        Raises
        ------
        ValueError
            If widths, grids or scales differ.
        OverflowError
            If sums would leave 64-bit integers.
        """
        rows = self.rows.merge(other.rows)
        moments = self.moments + other.moments
        mapped = None
        if self.maps and not rows.complete:
            mapped = self.feature_rows().merge(other.feature_rows(), moments)
        thinned = self.thinned or other.thinned
        return replace(self, moments=moments, rows=rows, mapped=mapped, thinned=thinned)

    def unmerge(self, other: Statistics) -> Statistics:
        """Return the statistics without the rows of `other`.

        While all rows are held (in the sample, or whole in `mapped`), the result is the same as if
        those rows had never been learned. Beyond that, a sample keeps its threshold and so holds
        fewer rows than a new one would.

        Raises
        ------
        ValueError
            If `other` holds rows that were never learned here.
        """
        rows = self.rows.unmerge(other.rows)
        moments = self.moments.copy().unmerge(other.moments)
        mapped = self.mapped
        if mapped is not None:
            mapped = mapped.unmerge(other.feature_rows(), moments)
        if not moments.count:  # nothing is left: the next rows are sampled anew
            return Statistics.empty(moments, self.rows.capacity, self.maps)
        thinned = not rows.complete and self.rows.capacity > 0
        found = replace(self, moments=moments, rows=rows, mapped=mapped, thinned=thinned)
        return found._sampled_again() or found

    def exchange(self, old: Statistics, new: Statistics) -> Statistics:
        """Return the statistics with rows replaced by rows of the same keys and other values.

        The keys stay, so the sample is the one that a new one would be, unless rows of equal key
        fall together and leave places free that other rows would have had.

        Raises
        ------
        ValueError, OverflowError
            As for `unmerge` of `old`, then `merge` of `new`.
        """
        found = self.unmerge(old).merge(new)
        sampled_again = found._sampled_again()
        if sampled_again is not None:
            return sampled_again
        # rows of equal key at the end of a sample that has places left may have become fewer
        is_filled = len(found.rows) == self.rows.capacity or (
            found.rows.threshold < self.rows.threshold
        )
        return replace(found, thinned=self.thinned) if is_filled else found

    def _sampled_again(self) -> Statistics | None:
        """Return the statistics with a new sample of all rows, if all are kept whole."""
        every_row = None if self.mapped is None else self.mapped.every_row()
        if every_row is None:
            return None
        rows = every_row.limit(self.rows.capacity)
        mapped = None if rows.complete else self.mapped
        return replace(self, rows=rows, mapped=mapped, thinned=False)

    def feature_rows(self) -> FeatureRows:
        """Return the rows for random features, which are those of the sample while it holds all."""
        return self.mapped or FeatureRows.of(self.moments, self.rows)

    def decay(self, factor: float) -> Statistics:
        """Return the statistics with all weights multiplied by a factor in (0, 1]."""
        moments = self.moments.copy().decay(factor)
        mapped = None if self.mapped is None else self.mapped.decay(factor, moments)
        return replace(self, moments=moments, rows=self.rows.decay(factor), mapped=mapped)

    def select_outputs(self, columns: AnyArray) -> Statistics:
        """Rearrange the columns of values; see `Moments.select_outputs`."""
        mapped = None if self.mapped is None else self.mapped.select_outputs(columns)
        moments = self.moments.copy().select_outputs(columns)
        return replace(self, moments=moments, rows=self.rows.select_outputs(columns), mapped=mapped)

    def sum_outputs(self, groups: AnyArray) -> Statistics:
        """Add up columns of one-hot values; see `Moments.sum_outputs`.

        While all rows are held, the result is the same as if the rows had been learned with these
        values. Where rows become equal, in the sample or at its end, it may be smaller than a new
        one would be.
        """
        mapped = None if self.mapped is None else self.mapped.sum_outputs(groups)
        moments, rows = self.moments.copy().sum_outputs(groups), self.rows.sum_outputs(groups)
        thinned = self.thinned or (not rows.complete and len(rows) < rows.capacity)
        found = replace(self, moments=moments, rows=rows, mapped=mapped, thinned=thinned)
        return found._sampled_again() or found

    def sampled_rows(self) -> RowArrays:
        """Return the sampled rows in the caller's units, sorted by hash."""
        keys, values = self.moments.from_grid(self.rows.keys, self.rows.values)
        return RowArrays(keys, values, self.rows.weights)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        held = self.moments.nbytes + self.rows.nbytes
        return held if self.mapped is None else held + self.mapped.nbytes

    def to_state(self) -> State:
        """Return the content to write; without sums if all rows are kept and take less room."""
        room = packed_bytes(self.moments.n_features, self.moments.n_values)
        return self._written(self._are_rows_enough and self.rows.nbytes < room)

    def essence(self) -> State:
        """Return what tells these statistics from others: the rows alone, while all are kept."""
        return self._written(self._are_rows_enough)

    @property
    def _are_rows_enough(self) -> bool:
        return self.rows.complete and self.moments.exact

    def _written(self, only_rows: bool) -> State:
        moments = self.moments.outline() if only_rows else self.moments.to_state()
        parts = {"moments": moments, "rows": self.rows.to_state()}
        if self.mapped is not None:
            parts["mapped"] = self.mapped.to_state()
        return State.join(parts, maps=self.maps, thinned=self.thinned)

    @classmethod
    def from_state(cls, state: State) -> Statistics:
        """Rebuild the statistics; sums that were not written are recomputed from the rows.

        Raises
        ------
        ValueError
            If moments, sample and mapped moments are not of the same rows.
        """
        moments = Moments.from_state(state.part("moments"))
        rows = RowSample.from_state(state.part("rows"))
        rows.require_widths(moments.n_features, moments.n_values)
        if rows.keys.dtype == np.int8:
            raise ValueError("the sampled rows are rounded to bytes")
        if not moments.count and len(rows):
            if not rows.complete:
                raise ValueError("moments are missing: the sample does not hold every row")
            moments = moments.sum_batches([_batch_of(rows, moments)])
        maps, thinned = state.metadata["maps"], state.metadata["thinned"]
        if not isinstance(maps, bool) or not isinstance(thinned, bool):
            raise ValueError(f"maps and thinned must be true or false, got {maps!r}, {thinned!r}")
        _require_count(rows, moments)
        mapped = None
        if "mapped" in state.metadata:
            mapped = FeatureRows.from_state(state.part("mapped"), moments)
            _require_count(mapped.rows, moments)
        if maps and mapped is None and not rows.complete:
            raise ValueError("rows for random features are missing")
        return cls(moments, rows, mapped, maps, thinned)


def _require_count(rows: RowSample, moments: Moments) -> None:
    """Raise ValueError if a sample has more rows than the moments, or not all where it should."""
    weight = float(rows.weights.sum())
    tolerance = 0.0 if moments.exact else 1e-6 * max(moments.count, 1.0)
    if weight > moments.count + tolerance or (
        rows.complete and abs(weight - moments.count) > tolerance
    ):
        raise ValueError("the sample does not have the row count of the moments")


def _batch_of(rows: RowSample, like: Moments) -> Batch:
    """Return sampled rows as a batch in the caller's units."""
    weights = None if np.all(rows.weights == 1.0) else rows.weights
    return Batch(*like.from_grid(rows.keys, rows.values), weights, 0)
