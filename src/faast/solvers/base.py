"""What a solver is: statistics in, one solution out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from faast._utils.arrays import FloatArray
from faast.core.statistics import Statistics, balance
from faast.core.weights import FastWeights
from faast.solvers.calibration import fit_temperature

PAPER_PRIOR_ROWS = 40.0
"""Prior count N0 per class (METHOD of arXiv 2605.04651)."""


@dataclass(frozen=True, eq=False)
class Solution:
    """What a solver returns, all of it from one factorisation.

    Attributes
    ----------
    weights : FastWeights
    leave_one_out : callable
        Computes `loo_scores`.
    temperature : float
        Scores of classes are divided by it before the softmax.
    """

    weights: FastWeights
    leave_one_out: Callable[[], FloatArray]
    temperature: float = 1.0

    @cached_property
    def loo_scores(self) -> FloatArray:
        """Values of the sampled rows as if each had not been learned: (n, m), in their order."""
        return self.leave_one_out()


@dataclass(frozen=True, eq=False)
class ClassPrior:
    """What is known of classes beside their rows.

    Attributes
    ----------
    embeddings : ndarray of shape (C, d), or None
        What the frozen model says of each class.
    prior_count : float or None
        N0: embeddings weigh as many rows; 40 per class where None. Solvers that weigh embeddings by
        leave-one-out do not use it.
    balanced : bool
        Treat all classes as equally frequent.
    """

    embeddings: FloatArray | None = None
    prior_count: float | None = None
    balanced: bool = False

    def share(self, count: float, n_classes: int) -> float:
        """R = N / (N0 + N): how much of a prediction is read from the rows."""
        prior = PAPER_PRIOR_ROWS * n_classes if self.prior_count is None else self.prior_count
        return count / (prior + count)


class Solver(ABC):
    """Turns statistics into a solution; a frozen dataclass of its settings."""

    maps_features: ClassVar[bool] = False
    """Whether the solver reads random features of classes, once rows are too many to keep."""

    @abstractmethod
    def fit(self, statistics: Statistics) -> Solution:
        """Solve for values that are numbers.

        Parameters
        ----------
        statistics : Statistics
            With at least one row. While all rows are kept a solver may work on the side of the
            rows (dual form).
        """

    def fit_classes(self, statistics: Statistics, prior: ClassPrior) -> Solution:
        """Solve for values that are classes, with a temperature that calibrates probabilities.

        Class embeddings are read beside the rows as in the paper: scores are
        (1 - R) E x + R E Eᵀ v, with E the embeddings, v the values read from the rows and R the
        share of the rows (see `ClassPrior.share`).

        Parameters
        ----------
        statistics : Statistics
            Values are one-hot.
        prior : ClassPrior
        """
        if prior.balanced:
            moments, sample = balance(statistics.moments, statistics.rows)
            statistics = Statistics(moments, sample, None, maps=False)
        found = self.fit(statistics)
        rows = statistics.sampled_rows()
        scores = (
            found.loo_scores if len(rows.keys) > 1 else np.zeros((0, statistics.moments.n_values))
        )
        weights = found.weights
        if prior.embeddings is not None:
            E = prior.embeddings
            share, similar = prior.share(statistics.moments.count, len(E)), E @ E.T
            matrix = (1.0 - share) * E.T + share * weights.matrix @ similar
            weights = replace(weights, matrix=matrix, bias=share * weights.bias @ similar)
            if len(scores):
                scores = (1 - share) * (rows.keys @ E.T) + share * scores @ similar
        temperature = 1.0
        if len(scores):
            temperature = fit_temperature(scores, rows.values.argmax(axis=1), rows.weights)
        return Solution(weights, lambda: scores, temperature)
