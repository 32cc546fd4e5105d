"""Costs that have a bound, each measured in turns with what bounds it, in one process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks._lib.report import table, verdict
from faast import Discriminant, FaastClassifier
from faast.core.weights import FastWeights
from faast.evaluation.efficiency import synthetic_rows
from faast.evaluation.measure import OURS, build, fit_and_solve, time_in_turns

FEATURES = 512
LEARN_TURNS, ASK_TURNS = 3, 2_000


@dataclass(frozen=True)
class Bounded:
    """A cost of ours, what it is measured beside, and at most how many times that it may cost."""

    cost: str
    beside: str
    most: float
    seconds: float
    seconds_beside: float

    @property
    def ratio(self) -> float:
        return self.seconds / self.seconds_beside


def bounded_costs() -> Iterator[Bounded]:
    many, _ = synthetic_rows(3_000, FEATURES, classes=1_000)
    ours, theirs = learn_in_turns(many, FaastClassifier(), build("gda"))
    yield Bounded("learning 1,000 classes of 3 rows", "GDA", 3.0, ours, theirs)
    linear, (asked, _) = synthetic_rows(50_000, FEATURES)
    ours, theirs = learn_in_turns(linear, FaastClassifier(), FaastClassifier(Discriminant()))
    yield Bounded("learning 50,000 linear rows", "`Discriminant` alone", 1.0, ours, theirs)
    model, row = FaastClassifier(Discriminant()).fit(*linear), asked[:1]
    bare = partial(bare_answer, model.weights_, model.classes_, row)
    calls = {OURS: partial(model.predict, row), "bare": bare}
    found = time_in_turns(calls, ASK_TURNS)
    yield Bounded("predicting one row", "a checked product", 1.5, found[OURS], found["bare"])


def learn_in_turns(support: tuple[np.ndarray, np.ndarray], ours: Any, theirs: Any) -> list[float]:
    calls = {name: partial(fit_and_solve, model, support) for name, model in
             ((OURS, ours), ("theirs", theirs))}  # fmt: skip
    return list(time_in_turns(calls, LEARN_TURNS).values())


def bare_answer(weights: FastWeights, classes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Check rows and answer them with a product, with nothing around it."""
    if rows.ndim != 2 or rows.shape[1] != len(weights.matrix) or not np.isfinite(rows).all():
        raise ValueError("rows do not fit")
    return classes[(rows @ weights.matrix + weights.bias).argmax(axis=1)]


def bound_lines(found: list[Bounded]) -> list[str]:
    rows = [
        [one.cost, f"{one.seconds:.3g}", one.beside, f"{one.seconds_beside:.3g}",
         f"{one.ratio:.2f}", f"{one.most:g}", verdict(one.ratio <= one.most)]
        for one in found
    ]  # fmt: skip
    return [
        f"## Beside what bounds it ({FEATURES} features, medians of turns in one process)",
        "",
        *table(["cost", "seconds", "beside", "its seconds", "ratio", "at most", ""], rows),
    ]
