"""How long a method that is trained by gradients takes to become as accurate as ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from faast.evaluation.measure import OURS, Labelled, Measurement, build, measure

TURNS = 3
"""Times that ours is fitted; the median of its seconds counts."""


@dataclass(frozen=True)
class Ladder:
    """Budgets of training, from little to all.

    Parameters
    ----------
    option : str
        Of the method: its bound on passes or iterations.
    budgets : tuple of int
        Each trains anew, with a schedule of its own length.
    rows : int
        Past which training takes too long to be measured.
    fixed : dict
        Other options: nothing is held out for early stopping, as the ladder stops early itself.
    """

    option: str
    budgets: tuple[int, ...]
    rows: int
    fixed: tuple[tuple[str, Any], ...] = ()

    def trained(self, method: str, budget: int) -> Callable[[], Any]:
        """Return what makes the method with one budget."""
        options: dict[str, Any] = {self.option: budget, **dict(self.fixed)}
        return partial(build, method, **options)


LADDERS = {
    "linear-projection": Ladder("epochs", (1, 2, 5, 10, 20), 100_000, (("patience", None),)),
    "linear-sgd": Ladder("epochs", (1, 2, 5, 10, 20, 50, 1_000), 100_000),
    "logistic": Ladder("max_iter", (5, 10, 20, 50, 100, 1_000), 10_000),
}
"""Peers trained by gradients; logistic regression, by L-BFGS, chooses C within its time."""


@dataclass(frozen=True)
class Race:
    """Ours beside a peer that trains until it is as accurate.

    Attributes
    ----------
    ours, theirs : Measurement
        `theirs` is of the first budget as accurate as ours, or of the largest.
    budget : int
        Of `theirs`.
    reached : bool
        Whether any budget was as accurate; else `theirs` is a bound from below on its time.
    """

    ours: Measurement
    theirs: Measurement
    budget: int
    reached: bool

    @property
    def saved(self) -> float:
        """Share of the peer's time that ours saves."""
        return 1.0 - self.ours.seconds / self.theirs.seconds


def race(method: str, support: Labelled, test: Labelled) -> Race:
    """Train a peer longer and longer until it is as accurate on the test rows as ours.

    Only the seconds of the budget that suffices count, as if it had been known beforehand, which
    flatters the peer.

    Parameters
    ----------
    method : str
        A key of `LADDERS`.
    support, test : pair of ndarray
        Rows of shape (n, d) and labels of shape (n,).
    """
    ladder = LADDERS[method]
    ours = sorted(
        (measure(partial(build, OURS), support, test) for _ in range(TURNS)),
        key=lambda done: done.seconds,
    )[TURNS // 2]
    for budget in ladder.budgets:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # budgets end before that
            theirs = measure(ladder.trained(method, budget), support, test)
        if theirs.accuracy >= ours.accuracy:
            return Race(ours, theirs, budget, reached=True)
    return Race(ours, theirs, budget, reached=False)
