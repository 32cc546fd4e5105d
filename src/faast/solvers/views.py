"""Views of the learned rows: as they are, or by their random features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast._utils.floats import TINY
from faast.core.feature_rows import FeatureRows
from faast.core.moments import Moments
from faast.core.random_features import RandomFeatures
from faast.core.row_hashes import hash_rows
from faast.core.sample import RowArrays
from faast.core.statistics import Statistics
from faast.solvers.columns import standard_deviations
from faast.solvers.gaussian import ClassesLeftOut, GaussianClasses, SolvedClasses


@dataclass(frozen=True, eq=False)
class View:
    """Gaussian classes of rows, or of their random features, with leave-one-out scores."""

    classes: GaussianClasses
    left_out: ClassesLeftOut
    see: Callable[[RowArrays], RowArrays]
    """Maps rows to those of this view."""
    features: RandomFeatures | None = None

    @classmethod
    def of(
        cls,
        moments: Moments,
        statistics: Statistics,
        rows: RowArrays,
        scale: FloatArray | None,
        balanced: bool,
        see: Callable[[RowArrays], RowArrays] = lambda rows: rows,
        features: RandomFeatures | None = None,
        *,
        single: bool = False,
    ) -> View:
        """Summarise moments and prepare leave-one-out scores of the sampled rows."""
        rows = see(rows)
        every_row = rows if statistics.rows.complete else None
        classes = GaussianClasses.from_moments(
            moments, every_row, scale=scale, balanced=balanced, single=single
        )
        return cls(classes, classes.left_out(rows), see, features)

    @cached_property
    def unit(self) -> float:
        """What strengths are multiples of: μ, or a number above 0 if there is no scatter."""
        classes = self.classes
        # there is none within classes if all rows of each class are equal
        spread = float(classes.counts @ (classes.means**2).sum(axis=1)) + classes.trace
        return max(classes.trace / classes.degrees, 1e-12 * spread, TINY)

    def leave_out(self, rows: RowArrays, solved: SolvedClasses) -> AnyArray:
        """Return centred scores (n, C) of learned rows, each left out."""
        return centred(self.classes.left_out(self.see(rows)).scores(solved))


class Reader(NamedTuple):
    """A discriminant in one view, with its centred scores (n, C) of the left-out rows."""

    view: View
    solved: SolvedClasses
    scores: AnyArray
    scale: float = 1.0
    """First guess of the factor on the scores."""


def mapped_view(
    statistics: Statistics, learned: FeatureRows, rows: RowArrays, balanced: bool
) -> View:
    """Return the view of as many random features as the number of learned rows allows."""
    features, mapped = learned.sum_features()
    single = not statistics.rows.complete or len(rows.keys) >= features.width
    dtype = np.float32 if single else np.float64

    def see(rows: RowArrays) -> RowArrays:
        units = features.grid.rounded(rows.keys)
        weights = np.where(learned.rows.samples(hash_rows(units)), rows.weights, 0.0)
        return RowArrays(features(units).astype(dtype, copy=False), rows.values, weights)

    scale = standard_deviations(mapped)
    return View.of(mapped, statistics, rows, scale, balanced, see, features, single=single)


def centred(scores: AnyArray) -> AnyArray:
    """Subtract the mean of each row from scores (n, C), in place."""
    scores -= scores.mean(axis=1, keepdims=True)
    return scores
