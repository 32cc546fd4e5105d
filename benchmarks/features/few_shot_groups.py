"""Few-shot measurements: which sets are averaged, and the numbers of a group of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks._lib.datasets import CLIP, CLIP_NAMED, TEXT
from benchmarks._lib.report import stratified
from faast.evaluation.baselines import BASELINES
from faast.evaluation.measure import OURS, takes_prior

METHODS = [OURS, *BASELINES]


@dataclass(frozen=True)
class Group:
    """Sets that are averaged, with or without what the frozen model says of the classes."""

    title: str
    sets: tuple[str, ...]
    prior: bool

    def methods(self) -> list[str]:
        return [m for m in METHODS if self.prior or m != "zero-shot"]

    def holds(self, row: Row) -> bool:
        return row.set in self.sets and row.prior == (self.prior and takes_prior(row.method))


@dataclass(frozen=True)
class Row:
    """One measurement, as the csv has it; in percent.

    `best` is the accuracy of the best strength, `least_seconds` what the products of ours take.
    """

    set: str
    prior: bool
    shots: int
    seed: int
    method: str
    accuracy: float
    ece: float
    seconds: float
    bytes: int
    state_bytes: int
    best: float
    least_seconds: float


GROUPS = [
    Group("CLIP features, no prior", CLIP, False),
    Group("With label-name prior", (*TEXT, *CLIP_NAMED), True),
    Group("Text, no prior", TEXT, False),  # no target of its own
]


@dataclass(frozen=True)
class Measured:
    """A group's rows; `values` is an array of shape (sets, draws)."""

    group: Group
    rows: list[Row]

    @property
    def sets(self) -> list[str]:
        return [name for name in self.group.sets if any(row.set == name for row in self.rows)]

    @property
    def shots(self) -> list[int]:
        return sorted({row.shots for row in self.rows})

    @property
    def peers(self) -> list[str]:
        return [method for method in self.group.methods() if method != OURS]

    def values(self, method: str, shots: int, what: str = "accuracy", sets=None) -> np.ndarray:
        return np.array(
            [
                [
                    getattr(row, what)
                    for row in sorted(self.rows, key=lambda row: row.seed)
                    if (row.set, row.method, row.shots) == (name, method, shots)
                ]
                for name in (sets or self.sets)
            ]
        )

    def lead(self, peer: str, shots: int) -> np.ndarray:
        return self.values(OURS, shots) - self.values(peer, shots)

    def best_peer(self, shots: int) -> tuple[str, float, float]:
        peer = max(self.peers, key=lambda method: self.values(method, shots).mean())
        return peer, *stratified(self.lead(peer, shots))

    def regret(self, shots: int) -> float:
        return float((self.values(OURS, shots, "best") - self.values(OURS, shots)).mean())
