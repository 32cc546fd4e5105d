"""When to answer: thresholds on the probability of a label, from rows that were left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple, Self

import numpy as np
from scipy.stats import beta

from faast._utils.arrays import AnyArray, FloatArray, IntArray
from faast.core.state import Array, Stored
from faast.solvers.calibration import Judged

STEPS = 16
"""Thresholds that are tried for each halving of the number of answered rows."""

PROMISES = np.arange(0.99, 0.0, -0.01)
"""Precisions that are tried where the wanted one cannot be promised."""


@dataclass(frozen=True)
class AnswerThreshold:
    """The least probability that a label needs to be given as the answer.

    Attributes
    ----------
    probability : float
    precision : float
        Share of right answers among the left-out rows that get one.
    precision_interval : tuple of two floats
        Clopper-Pearson interval of the precision. Each bound holds with the chosen confidence; the
        lower one does so even though the threshold was chosen among several.
    coverage : float
        Share of the left-out rows that get an answer.
    coverage_interval : tuple of two floats
        Clopper-Pearson interval of the coverage.
    """

    probability: float
    precision: float
    precision_interval: tuple[float, float]
    coverage: float
    coverage_interval: tuple[float, float]


class _Answered(NamedTuple):
    """Rows that get an answer at each of several thresholds, arrays of shape (k,).

    Attributes
    ----------
    probability : ndarray
        The thresholds, falling.
    answered, right : ndarray
        Weight of all answered rows, and of those with the right answer.
    """

    probability: FloatArray
    answered: FloatArray
    right: FloatArray


@dataclass(frozen=True, eq=False)
class LeftOutAnswers(Stored):
    """The answers for the sampled rows, each left out: how probable, and whether right.

    Attributes
    ----------
    probability : ndarray of shape (n,)
        Largest class probability of each row, falling; n > 0.
    right : ndarray of shape (n,), uint8
        1 where the most probable class is the row's own.
    weights : ndarray of shape (n,)
    """

    probability: Annotated[FloatArray, Array("n", minimum=0.0)]
    right: Annotated[AnyArray, Array("n", dtypes=("uint8",))]
    weights: Annotated[FloatArray, Array("n", minimum=1e-9)]

    @classmethod
    def from_judged(cls, judged: Judged, weights: FloatArray) -> Self:
        """Sort rows with weights (n,) by their probabilities; equal ones count together."""
        order = np.lexsort((judged.right, -judged.probability))
        right = judged.right[order].astype(np.uint8)
        return cls(judged.probability[order], right, weights[order])

    def promise(self, precision: float, confidence: float) -> AnswerThreshold:
        """Return the threshold of most answers among which a share `precision` will be right.

        The thresholds to try are fixed by the probabilities alone: those that answer a share
        2^(-i/16) of the rows. Each is tested with a Clopper-Pearson bound at the level δ / J, where
        δ = 1 - `confidence`. Tests start at the shares 1, 1/2, 1/4, … (J of them) and go on to
        larger shares until one fails. The chance that any threshold passes that does not keep the
        precision is at most δ (Learn then Test with several starts of a fixed sequence:
        Angelopoulos et al. 2021, selective classification as in Geifman & El-Yaniv 2017). This
        assumes independent rows, whose left-out scores are like those of new rows.

        Raises
        ------
        ValueError
            If no threshold can promise this precision; the message says which one can be promised.
        """
        found = self._promise(precision, 1.0 - confidence)
        if found is not None:
            return found
        for less in PROMISES[precision > PROMISES]:
            reachable = self._promise(float(less), 1.0 - confidence)
            if reachable is not None:
                raise ValueError(
                    f"no threshold can promise a precision of {precision:g} with confidence "
                    f"{confidence:g}; {less:.2f} can be reached, with answers for "
                    f"{reachable.coverage:.0%} of the rows: ask for less, or learn more rows"
                )
        raise ValueError(
            f"no precision can be promised from {len(self.weights)} left-out rows, of which "
            f"{self._answered(np.array([len(self.weights) - 1])).right[0]:g} got the right answer; "
            "learn more rows"
        )

    def cover(self, coverage: float, confidence: float) -> AnswerThreshold:
        """Return the threshold at which about a share `coverage` of rows gets an answer."""
        place = np.searchsorted(np.cumsum(self.weights), coverage * self.weights.sum())
        chosen = self._answered(np.array([min(int(place), len(self.weights) - 1)]))
        return self._threshold(chosen, 0, 1.0 - confidence, 1.0 - confidence)

    def _promise(self, precision: float, error: float) -> AnswerThreshold | None:
        total = float(self.weights.sum())
        starts = 1
        while total / 2.0**starts >= np.log(error / (starts + 1)) / np.log(precision):
            starts += 1
        shares = 2.0 ** (-np.arange(STEPS * (starts - 1), -1, -1) / STEPS)
        places = np.searchsorted(np.cumsum(self.weights), shares * total)
        tried = self._answered(np.minimum(places, len(self.weights) - 1))
        level = error / starts
        holds = _lower(tried.right, tried.answered, level) >= precision
        passed = [
            start + int(np.argmin(np.append(holds[start:], False))) - 1
            for start in range(0, len(shares), STEPS)
            if holds[start]
        ]
        return self._threshold(tried, max(passed), level, error) if passed else None

    def _answered(self, places: IntArray) -> _Answered:
        """Return what is answered if the row at each place, and all as probable, get an answer."""
        ends = np.searchsorted(-self.probability, -self.probability[places], side="right") - 1
        right = np.cumsum(self.weights * self.right)
        return _Answered(self.probability[ends], np.cumsum(self.weights)[ends], right[ends])

    def _threshold(
        self, answered: _Answered, place: int, level: float, error: float
    ) -> AnswerThreshold:
        probability, count, right = (float(part[place]) for part in answered)
        total = float(self.weights.sum())
        return AnswerThreshold(
            probability,
            right / count,
            _interval(right, count, level),
            count / total,
            _interval(count, total, error / 2.0),
        )

    def validate(self) -> None:
        """Raise ValueError if probabilities do not fall, or are none."""
        if not len(self.probability) or np.any(np.diff(self.probability) > 0):
            raise ValueError("left-out answers need probabilities that fall")
        if self.probability[0] > 1.0 + 1e-9 or np.any(self.right > 1):
            raise ValueError("left-out answers need probabilities, and 1 where an answer is right")


def _lower(right: FloatArray, count: FloatArray, level: float) -> FloatArray:
    """Return the lower Clopper-Pearson bound of right / count, which fails with chance `level`."""
    found = beta.ppf(level, np.maximum(right, 1e-12), np.maximum(count - right, 0.0) + 1.0)
    return np.where(right > 0, found, 0.0)


def _interval(right: float, count: float, level: float) -> tuple[float, float]:
    """Return both Clopper-Pearson bounds of right / count; each fails with chance `level`."""
    low = _lower(np.array(right), np.array(count), level)
    wrong = _lower(np.array(count - right), np.array(count), level)
    return float(low), float(1.0 - wrong)
