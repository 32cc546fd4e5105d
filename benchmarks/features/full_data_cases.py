"""Full-data measurements: a set with its splits, and the numbers of all methods on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks._lib.datasets import Dataset
from benchmarks._lib.limits import least_seconds
from faast.evaluation.baselines import BASELINES
from faast.evaluation.measure import OURS
from faast.evaluation.metrics import mean_and_interval

PROJECTION = "linear-projection"
NATURAL = "faast-natural"
METHODS = [OURS, *BASELINES]

SVM_ROWS = 12_000
"""Above, the kernel SVM is left out."""


@dataclass(frozen=True)
class Case:
    """A set with or without its prior; `splits` hold the rows, more than one for small sets."""

    title: str
    splits: list[Dataset]
    prior: bool

    @property
    def rows(self) -> int:
        return len(self.splits[0].train)

    def methods(self) -> list[str]:
        kept = [m for m in METHODS if self.prior or m != "zero-shot"]
        return [m for m in kept if m != "kernel-svm" or self.rows <= SVM_ROWS]


@dataclass(frozen=True)
class Result:
    """What one method did on all splits of a case; hits and ECE of the splits in a row."""

    hits: np.ndarray
    ece: float
    seconds: float
    bytes: int
    state_bytes: int
    n_random_features: int

    @property
    def accuracy(self) -> float:
        return 100 * float(self.hits.mean())


@dataclass(frozen=True)
class Measured:
    case: Case
    results: dict[str, Result]
    reached: tuple[int, float] | None
    regret: float

    @property
    def ours(self) -> Result:
        return self.results[OURS]

    @property
    def peers(self) -> dict[str, Result]:
        return {m: r for m, r in self.results.items() if m not in (OURS, NATURAL)}

    def lead(self, peer: str) -> tuple[float, float]:
        """Ours minus a peer on the same test rows, in points, and half its 95% interval."""
        return mean_and_interval(100.0 * self.ours.hits - 100.0 * self.results[peer].hits)

    @property
    def best_peer(self) -> str:
        return max(self.peers, key=lambda method: self.peers[method].accuracy)

    @property
    def least_seconds(self) -> float:
        """What the products of ours take."""
        split = self.case.splits[0]
        classes = len(np.unique(split.train_labels))
        return least_seconds(*split.train.shape, classes, self.ours.n_random_features)

    @property
    def saved(self) -> float:
        return 100 * (1 - self.ours.seconds / self.results[PROJECTION].seconds)
