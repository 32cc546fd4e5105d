"""A discriminant that follows single rows by rank-one updates, from one solution to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.core.statistics import Statistics
from faast.core.sums import select_columns
from faast.core.weights import FastWeights
from faast.solvers.auto import PSEUDO_ROWS
from faast.solvers.columns import is_table, standard_deviations
from faast.solvers.gaussian import GaussianClasses, Metric, SolvedClasses
from faast.solvers.one_shot import ONE_SHOT_PSEUDO_ROWS

SMALLEST_STRENGTH = 1e-100
"""`Auto` solves with less where all rows are equal, which tells nothing of how others differ."""

SMALLEST_PIVOT = 1e-6
"""Division by less than this would leave the inverse with too few digits."""


class Inverse(NamedTuple):
    """The inverse of A = S + λI: a matrix, or, while rows are fewer than columns, what they span.

    Attributes
    ----------
    matrix : ndarray of shape (d, d), or of shape () and then a multiple of I
    directions : ndarray of shape (k, d)
    gains : ndarray of shape (k,)
        Each direction f of gain g subtracts g f fᵀ from the matrix.
    """

    matrix: FloatArray
    directions: FloatArray
    gains: FloatArray

    @classmethod
    def of(cls, solved: SolvedClasses) -> Inverse:
        """Invert the matrix A of solved classes."""
        scatter, frame, floor = solved.classes.scatter, solved.classes.frame, solved.metric.floor
        width = len(frame.centre)
        if len(scatter) == width:
            half = solved.triangle.divide(np.eye(width))
            return cls(half @ half.T, np.zeros((0, width)), np.zeros(0))
        values, vectors = np.linalg.eigh(scatter)
        values = np.maximum(values, 0.0)
        gains = values / (values + floor) / floor
        return cls(np.asarray(1.0 / floor), frame.lift(vectors.T), gains)

    def times(self, vector: FloatArray) -> FloatArray:
        """Multiply a vector (d,)."""
        product: FloatArray = np.dot(self.matrix, vector)
        if not len(self.gains):
            return product
        return product - (self.gains * (self.directions @ vector)) @ self.directions

    def subtract(self, gain: float, direction: FloatArray) -> Inverse:
        """Subtract g f fᵀ."""
        if self.matrix.ndim:
            less = np.outer(-gain * direction, direction)
            less += self.matrix
            return self._replace(matrix=less)
        directions = np.concatenate([self.directions, direction[None]])
        return self._replace(directions=directions, gains=np.append(self.gains, gain))


@dataclass(frozen=True, eq=False)
class RecursiveDiscriminant:
    """Weights that `Auto` has solved for, and what moves them when a row comes or goes.

    The scores of `Auto` are those of a Gaussian discriminant, times a factor, and others. When a
    row x of weight w comes to a class of weight n and mean m, with r = x - m,

        A ← A + a r rᵀ,  a = w n / (n + w),    m ← m + w r / (n + w),

    and by the formula of Sherman & Morrison (1950), with u = A⁻¹ r,

        A⁻¹ ← A⁻¹ - u uᵀ a / (1 + a rᵀu).

    This gives, in O(d² + d C) operations and up to rounding, the discriminant of all rows with the
    strength, the centre and the factor of the last solution. Shares of classes follow too. Scores
    of random features and class embeddings, and the half-steps, stay; they say nothing of classes
    that are new. A row that goes has a negative weight.

    Attributes
    ----------
    weights : FastWeights
        Of all rows so far.
    counts : ndarray of shape (C,)
        Rows, or the sum of their weights, of each class.
    means : ndarray of shape (C, d)
        Class means, less the centre and divided by the scale; zero for a class without rows.
    inverse : Inverse
        A⁻¹, of the scatter plus the strength.
    centre, scale : ndarray of shape (d,)
    pseudo_rows : float
        Rows at the centre by which each class mean is shrunk.
    factor : float
        The share of the discriminant in the weights; 0 with fewer than two classes.
    one_shot : bool
        Whether the scatter is the one about the centre; see `GaussianClasses`.
    log_unseen : float or None
        Log share of a class without rows at the last solution; None if all have equal shares.
    """

    weights: FastWeights
    counts: FloatArray
    means: FloatArray
    inverse: Inverse
    centre: FloatArray
    scale: FloatArray
    pseudo_rows: float
    factor: float
    one_shot: bool
    log_unseen: float | None

    @classmethod
    def of(
        cls,
        weights: FastWeights,
        statistics: Statistics,
        embeddings: FloatArray | None = None,
        *,
        balanced: bool = False,
    ) -> Self | None:
        """Find the discriminant in weights; None if all rows are equal.

        Parameters
        ----------
        weights : FastWeights
            What `Auto` has solved the statistics for.
        statistics : Statistics
            Of at least one row; values are one-hot.
        embeddings : ndarray of shape (C, d), optional
            Class embeddings that were used.
        balanced : bool
            Whether classes were treated as equally frequent.
        """
        if weights.strength < SMALLEST_STRENGTH:
            return None
        moments, every_row = statistics.moments, None
        if statistics.rows.complete and len(statistics.rows) < moments.n_features:
            every_row = statistics.sampled_rows()
        scale = standard_deviations(moments) if is_table(moments) else None
        classes = GaussianClasses.from_moments(moments, every_row, scale=scale, balanced=balanced)
        pseudo_rows = ONE_SHOT_PSEUDO_ROWS if classes.one_shot else PSEUDO_ROWS
        solved = classes.solve(Metric(1.0, weights.strength, pseudo_rows))
        counts, factor = classes.counts, 0.0
        if np.count_nonzero(counts) > 1:
            sources = [solved.weights().matrix]
            if embeddings is not None:
                sources.append((embeddings - embeddings.mean(axis=0)).T)
            columns = np.stack([source.ravel() for source in sources], axis=1)
            factor = float(np.linalg.lstsq(columns, weights.matrix.ravel())[0][0])
        return cls(
            weights=weights,
            counts=counts,
            means=classes.frame.lift(classes.means),
            inverse=Inverse.of(solved),
            centre=classes.frame.centre,
            scale=classes.frame.scale,
            pseudo_rows=pseudo_rows,
            factor=factor,
            one_shot=classes.one_shot,
            log_unseen=None if balanced else -float(np.log(counts.sum() + len(counts))),
        )

    def select_outputs(self, columns: AnyArray) -> Self:
        """Rearrange the classes; -1 stands for a new one, which the centre has for its mean."""
        weights, mapped = self.weights, self.weights.mapped
        bias = select_columns(weights.bias, columns)
        if self.log_unseen is not None:
            bias[columns < 0] = self.log_unseen
        if mapped is not None:
            mapped = replace(
                mapped,
                matrix=select_columns(mapped.matrix, columns),
                bias=select_columns(mapped.bias, columns),
            )
        matrix = select_columns(weights.matrix, columns)
        return replace(
            self,
            weights=replace(weights, matrix=matrix, bias=bias, mapped=mapped),
            counts=select_columns(self.counts, columns),
            means=select_columns(self.means.T, columns).T,
        )

    def move(self, row: FloatArray, column: int, weight: float) -> Self | None:
        """Let a row (d,) of a class come, or go if its weight is negative.

        None if a row goes and leaves too few digits, or a class without rows: then solve anew.
        """
        count, mean = self.counts[column], self.means[column]
        total, place = count + weight, (row - self.centre) / self.scale
        if total < SMALLEST_PIVOT:
            return None
        among, middle = count, mean
        if self.one_shot:  # the scatter about the mean of all rows
            among = self.counts.sum()
            middle = self.counts @ self.means / among
        offset, grown = place - middle, weight * among / (among + weight)
        along = self.inverse.times(offset)  # u
        pivot = 1.0 + grown * float(offset @ along)
        if pivot < SMALLEST_PIVOT:
            return None
        gain = grown / pivot
        inverse = self.inverse.subtract(gain, along)
        shrunk = self.means * (self.counts / (self.counts + self.pseudo_rows))[:, None]
        products = shrunk @ along
        moved_mean = mean + (weight / total) * (place - mean)
        moved = total / (total + self.pseudo_rows) * moved_mean
        before, after = self.inverse.times(shrunk[column]), inverse.times(moved)
        change = np.outer(along, -gain * products)
        squares = -gain * products**2  # change of the means' squared lengths in A⁻¹
        change[:, column] = after - before
        squares[column] = moved @ after - shrunk[column] @ before
        change *= (self.factor / self.scale)[:, None]
        bias = self.weights.bias - 0.5 * self.factor * squares - self.centre @ change
        if self.log_unseen is not None:
            bias[column] += np.log((total + 1.0) / (count + 1.0))
        counts, means = self.counts.copy(), self.means.copy()
        counts[column], means[column] = total, moved_mean
        change += self.weights.matrix
        weights = replace(self.weights, matrix=change, bias=bias)
        return replace(self, weights=weights, counts=counts, means=means, inverse=inverse)
