"""Time to accuracy: how long gradient training takes to become as accurate as faast."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from faast.evaluation.measure import OURS, Labelled, Measurement, build, measure

TURNS = 3
"""Number of fits of faast; the one of median seconds counts."""


@dataclass(frozen=True)
class TrainingBudgets:
    """The training budgets that a baseline is given, from small to large.

    Attributes
    ----------
    option : str
        Parameter of the baseline that limits its passes or iterations.
    budgets : tuple of int
        Values of `option`. Each trains from scratch, with a schedule of that length.
    rows : int
        Largest number of rows that the baseline is trained on.
    fixed : tuple of (str, value) pairs
        Its other parameters.
    """

    option: str
    budgets: tuple[int, ...]
    rows: int
    fixed: tuple[tuple[str, Any], ...] = ()

    def maker(self, method: str, budget: int) -> Callable[[], Any]:
        """Return a function that constructs the method with one budget."""
        options: dict[str, Any] = {self.option: budget, **dict(self.fixed)}
        return partial(build, method, **options)


BUDGETS = {
    # without early stopping of its own: the growing budgets already stop early
    "linear-projection": TrainingBudgets(
        "epochs", (1, 2, 5, 10, 20), 100_000, (("patience", None),)
    ),
    "linear-sgd": TrainingBudgets("epochs", (1, 2, 5, 10, 20, 50, 1_000), 1_000_000),
    "logistic": TrainingBudgets("max_iter", (5, 10, 20, 50, 100, 1_000), 10_000),
}
"""Baselines trained by gradients. The time of "logistic" (L-BFGS) includes the choice of C."""


@dataclass(frozen=True)
class TimeToAccuracy:
    """Faast and the first training budget of a baseline that is as accurate.

    Attributes
    ----------
    ours : Measurement
    theirs : Measurement
        With the first budget as accurate as ours, or with the largest budget.
    budget : int
        The budget of `theirs`.
    reached : bool
        Whether any budget was as accurate. If not, the time of `theirs` is a lower bound.
    """

    ours: Measurement
    theirs: Measurement
    budget: int
    reached: bool

    @property
    def saved(self) -> float:
        """Share of the baseline's time that faast saves; negative if faast is slower."""
        return 1.0 - self.ours.seconds / self.theirs.seconds


def time_to_accuracy(method: str, support: Labelled, test: Labelled) -> TimeToAccuracy:
    """Train a baseline with growing budgets until it is as accurate on the test rows as faast.

    Only the seconds of the last budget count, as if it had been known in advance, which favours
    the baseline.

    Parameters
    ----------
    method : str
        A key of `BUDGETS`.
    support, test : pair of ndarray
        Rows of shape (n, d) and labels of shape (n,).
    """
    training = BUDGETS[method]
    ours = sorted(
        (measure(partial(build, OURS), support, test) for _ in range(TURNS)),
        key=lambda done: done.seconds,
    )[TURNS // 2]
    for budget in training.budgets:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # small budgets never converge
            theirs = measure(training.maker(method, budget), support, test)
        if theirs.accuracy >= ours.accuracy:
            return TimeToAccuracy(ours, theirs, budget, reached=True)
    return TimeToAccuracy(ours, theirs, budget, reached=False)
