"""What adapting and answering cost as rows grow; every point in a process of its own.

Seconds a call: one call after another, or several taking turns.

Unit rows around random class centres, in any number: what costs are measured on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from faast._utils.arrays import FloatArray
from faast.evaluation.measure import OURS, Labelled

SIZES = (10, 100, 1_000, 10_000, 50_000, 100_000, 1_000_000)
QUICK_SIZES = (10, 1_000, 10_000)

CAPS = {
    "tip-adapter": 1_000,
    "kernel-svm": 10_000,
    "logistic": 10_000,
    "random-relu-ridge": 1_000,
    "linear-projection": 100_000,
    "linear-sgd": 100_000,
    "linear-attention": 100_000,
    "softmax-memory": 100_000,
    "ridge-cv": 100_000,
    "k-nn": 100_000,
}
"""Rows past which a method is not measured: fitting or answering takes too long there."""

REPEATED_ROWS = 10_000
"""Up to here a point may be measured more than once."""

MEMORIES = ("k-nn", "softmax-memory", "tip-adapter")
"""Methods that read their rows again for every query."""


@dataclass(frozen=True)
class Task:
    """One point to measure.

    Attributes
    ----------
    method : str
        ``faast`` or a key of `BASELINES`.
    solver : str
        Of ours: ``auto`` or ``ridge``; ignored by peers.
    rows, features, classes, seed : int
        Of the synthetic unit rows.
    """

    method: str
    rows: int
    solver: str = "auto"
    features: int = 64
    classes: int = 10
    seed: int = 0

    @property
    def name(self) -> str:
        """The method, with the solver where it is not the default."""
        return self.method if self.solver == "auto" else f"{self.method} ({self.solver})"


@dataclass(frozen=True)
class Cost:
    """What one point cost.

    Attributes
    ----------
    accuracy : float
        Share of 1,000 test rows named right.
    seconds : float
        From rows to a model that can answer, by the clock.
    peak_bytes : int
        Growth of the resident peak while adapting.
    traced_bytes : int
        Peak of what Python and numpy allocated while adapting, in a second fit.
    bytes, state_bytes : int
        Held to predict; held to go on learning (0 where the method cannot).
    lifted : int
        Columns of a lift that ours chose to read beside the rows.
    p50_1, p99_1, p50_256, p99_256 : float
        Seconds a call at batch 1 and 256.
    """

    accuracy: float
    seconds: float
    peak_bytes: int
    traced_bytes: int
    bytes: int
    state_bytes: int
    lifted: int
    p50_1: float
    p99_1: float
    p50_256: float
    p99_256: float

    def throughput(self, batch: int) -> float:
        """Rows a second at batch 1 or 256."""
        return batch / (self.p50_1 if batch == 1 else self.p50_256)


def tasks(methods: Sequence[str], sizes: Sequence[int]) -> list[Task]:
    """List the points, those of one size side by side; ours also with a fixed solver."""
    listed = []
    for rows in sizes:
        listed += [Task(OURS, rows), Task(OURS, rows, solver="ridge")]
        listed += [Task(name, rows) for name in methods if rows <= CAPS.get(name, rows)]
    return listed


def measure_points(listed: Sequence[Task], repeats: int = 1) -> Iterator[tuple[Task, list[Cost]]]:
    """Measure each point, methods in turns within every size.

    Parameters
    ----------
    listed : sequence of Task
    repeats : int
        Of points up to `REPEATED_ROWS`; larger ones are measured once.

    Yields
    ------
    Task, list of Cost
        One cost a repeat.
    """
    for rows in dict.fromkeys(task.rows for task in listed):
        group = [task for task in listed if task.rows == rows]
        found: dict[Task, list[Cost]] = {task: [] for task in group}
        for _ in range(repeats if rows <= REPEATED_ROWS else 1):
            for task in group:
                found[task].append(measure_apart(task))
        yield from found.items()


def medians(costs: Sequence[Cost]) -> Cost:
    """Take the median of every figure."""
    return Cost(
        **{name: median(getattr(cost, name) for cost in costs) for name in asdict(costs[0])}
    )


def measure_apart(task: Task) -> Cost:
    """Measure one point in a fresh process.

    Raises
    ------
    RuntimeError
        The process failed; the message carries its last line.
    """
    command = [
        sys.executable,
        "-m",
        "faast.evaluation._efficiency_worker",
        json.dumps(asdict(task)),
    ]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}  # torch too, whenever it is imported
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=alone)
    if done.returncode:
        last = done.stderr.strip().rsplit("\n", 1)[-1]
        raise RuntimeError(f"{task.name} at {task.rows:,} rows failed: {last}")
    return Cost(**json.loads(done.stdout))


CALL_SECONDS = 0.5
"""Calls of one kind go on for about this long, 20 at least and 1,000 at most."""


def call_seconds(call: Callable[[int], Any]) -> FloatArray:
    """Time calls one by one, after three that warm up.

    Parameters
    ----------
    call : callable
        Given the number of the call.

    Returns
    -------
    ndarray of shape (n_calls,), float64
    """
    for i in range(3):
        call(i)
    spent: list[float] = []
    while len(spent) < 20 or (sum(spent) < CALL_SECONDS and len(spent) < 1_000):
        spent.append(_timed(lambda: call(len(spent))))
    return np.array(spent)


def in_turns(calls: Mapping[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    """Time calls that take turns, so that what disturbs the machine disturbs them alike.

    Parameters
    ----------
    calls : mapping of name to callable
    turns : int
        Counted after one that warms up.

    Returns
    -------
    dict of name to float
        Median seconds.
    """
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(turns + 1):
        for name, call in calls.items():
            seconds = _timed(call)
            if turn:
                spent[name].append(seconds)
    return {name: median(seconds) for name, seconds in spent.items()}


def _timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


TEST_ROWS = 1_000


def synthetic(
    rows: int, features: int = 64, classes: int = 10, seed: int = 0
) -> tuple[Labelled, Labelled]:
    """Draw unit float32 rows: a support and 1,000 test rows.

    The noise is twice as long as the centres, so that no method is perfect.

    Parameters
    ----------
    rows, features, classes, seed : int

    Returns
    -------
    pair of (ndarray of shape (rows, features), ndarray of shape (rows,))
        Rows to learn and their labels.
    pair of ndarray
        Test rows and theirs.
    """
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((classes, features), dtype=np.float32)

    def draw(count: int) -> Labelled:
        labels = rng.permutation(np.arange(count) % classes)
        found = np.empty((count, features), np.float32)
        for part in gen_batches(count, 4_096):  # small parts, or drawing would be the peak
            drawn = 2 * rng.standard_normal(found[part].shape, dtype=np.float32)
            drawn += centres[labels[part]]
            found[part] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return found, labels

    return draw(rows), draw(TEST_ROWS)
