"""The interface of solvers: compute a `Solution` from `Statistics`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from faast._utils.arrays import FloatArray
from faast._utils.floats import TINY
from faast.core.balancing import balance
from faast.core.sample import RowArrays
from faast.core.statistics import Statistics
from faast.core.weights import FastWeights
from faast.solvers.calibration import fit_temperature
from faast.solvers.leverage import Spread
from faast.solvers.several import LabelSolution, LogOdds, answer_labels, calibrate

PAPER_PRIOR_ROWS = 40.0
"""Prior count N0 per class (METHOD of arXiv 2605.04651)."""


@dataclass(frozen=True, eq=False)
class Solution:
    """The result of a solver; all parts come from one factorisation.

    Attributes
    ----------
    weights : FastWeights
    leave_one_out : callable
        Computes `loo_scores` when they are first read.
    leave_out : callable
        Takes learned rows that are not in the sample (`RowArrays`, on the grid) and returns their
        predictions, each left out of the fit: (n, m). The moments give them in closed form.
    temperature : float
        Scores of classes are divided by it before the softmax.
    measure_spread : callable or None
        Computes `spread` when it is first read; None if the solver cannot.
    """

    weights: FastWeights
    leave_one_out: Callable[[], FloatArray]
    leave_out: Callable[[RowArrays], FloatArray]
    temperature: float = 1.0
    measure_spread: Callable[[], Spread | None] | None = None

    @cached_property
    def loo_scores(self) -> FloatArray:
        """Predictions for the sampled rows, each left out of the fit: (n, m), in sample order."""
        return self.leave_one_out()

    @cached_property
    def spread(self) -> Spread | None:
        """How far values may lie from predictions; None if the solver cannot tell."""
        return None if self.measure_spread is None else self.measure_spread()


@dataclass(frozen=True, eq=False)
class ClassPrior:
    """What is known of classes in addition to their rows.

    Attributes
    ----------
    embeddings : ndarray of shape (C, d), or None
        Embedding of each class by the frozen model (zero-shot).
    prior_count : float or None
        N0: the embeddings weigh as much as N0 rows; None means 40 per class. Solvers that weigh
        embeddings by leave-one-out ignore it.
    balanced : bool
        Treat all classes as equally frequent.
    """

    embeddings: FloatArray | None = None
    prior_count: float | None = None
    balanced: bool = False

    def share(self, count: float, n_classes: int) -> float:
        """Return R = N / (N0 + N), the share of a prediction that comes from the rows."""
        prior = PAPER_PRIOR_ROWS * n_classes if self.prior_count is None else self.prior_count
        return count / (prior + count)


class Solver(ABC):
    """Base class of solvers; a subclass is a frozen dataclass of its settings."""

    maps_features: ClassVar[bool] = False
    """Whether `fit_classes` uses random features; more rows are then kept for them."""

    @abstractmethod
    def fit(self, statistics: Statistics) -> Solution:
        """Solve for real values.

        Parameters
        ----------
        statistics : Statistics
            Of at least one row. While all rows are kept, a solver may work on the products of rows
            with each other (dual form).

        Returns
        -------
        Solution
        """

    def fit_classes(self, statistics: Statistics, prior: ClassPrior) -> Solution:
        """Solve for one-hot values, and fit the temperature that calibrates probabilities.

        Class embeddings are combined with the rows as in the paper (arXiv 2605.04651): scores are
        (1 - R) E x + R E Eᵀ v, with E the embeddings, v the values predicted from the rows and R
        the share of the rows (see `ClassPrior.share`).

        Parameters
        ----------
        statistics : Statistics
            Values are one-hot.
        prior : ClassPrior

        Returns
        -------
        Solution
        """
        factors = np.ones(statistics.moments.n_values)
        if prior.balanced:
            counts = statistics.moments.value_sum
            moments, sample = balance(statistics.moments, statistics.rows)
            factors = moments.value_sum / np.maximum(counts, TINY)
            statistics = Statistics(moments, sample, None, maps=False)
        found = self.fit(statistics)
        rows = statistics.sampled_rows()
        scores = (
            found.loo_scores if len(rows.keys) > 1 else np.zeros((0, statistics.moments.n_values))
        )
        weights = found.weights
        E = prior.embeddings
        if E is not None:
            share, similar = prior.share(statistics.moments.count, len(E)), E @ E.T
            matrix = (1.0 - share) * E.T + share * weights.matrix @ similar
            weights = replace(weights, matrix=matrix, bias=share * weights.bias @ similar)

        def with_embeddings(keys: FloatArray, scores: FloatArray) -> FloatArray:
            if E is None or not len(scores):
                return scores
            return (1 - share) * (keys @ E.T) + share * scores @ similar

        def leave_out(left: RowArrays) -> FloatArray:
            left = left._replace(weights=left.weights * (left.values @ factors))
            return with_embeddings(left.keys, found.leave_out(left))

        scores, temperature = with_embeddings(rows.keys, scores), 1.0
        if len(scores):
            temperature = fit_temperature(scores, rows.values.argmax(axis=1), rows.weights)
        return Solution(weights, lambda: scores, leave_out, temperature)

    def fit_labels(self, statistics: Statistics) -> LabelSolution:
        """Solve for 0/1 values of which a row may have several, and choose thresholds.

        Parameters
        ----------
        statistics : Statistics
            Values are 0 or 1, one column per label.

        Returns
        -------
        LabelSolution
        """
        return answer_labels(self.fit_log_odds(statistics), statistics.sampled_rows())

    def fit_log_odds(self, statistics: Statistics) -> LogOdds:
        """Return calibrated log-odds of labels, of which a row may have several."""
        found, rows = self.fit(statistics), statistics.sampled_rows()
        left_out = found.loo_scores if len(rows.keys) > 1 else rows.values[:0]
        return calibrate(found.weights, left_out, rows)
