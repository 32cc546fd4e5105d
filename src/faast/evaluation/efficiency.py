"""Efficiency protocol: what learning and predicting cost as the number of rows grows.

Every method learns synthetic unit rows of growing number, each measurement in a process of its own.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from faast import Ridge
from faast.evaluation.measure import (
    OURS,
    SLOW_SECONDS,
    Labelled,
    build,
    fit_and_solve,
    in_new_process,
    model_bytes,
    time_calls,
    warm_up,
)

SIZES = (10, 100, 1_000, 10_000, 50_000, 100_000, 1_000_000)
QUICK_SIZES = (10, 1_000, 10_000)
TEST_ROWS = 1_000

CAPS = {
    "tip-adapter": 1_000,
    "kernel-svm": 10_000,
    "logistic": 10_000,
    "random-relu-ridge": 1_000,
    "linear-projection": 100_000,
    "linear-attention": 100_000,
    "softmax-memory": 100_000,
    "ridge-cv": 100_000,
    "k-nn": 100_000,
}
"""Largest number of rows that a method is measured on; beyond it, it takes too long."""

REPEATED_ROWS = 10_000
"""Largest number of rows for which a measurement may be repeated."""

MEMORIES = ("k-nn", "softmax-memory", "tip-adapter")
"""Methods that store all rows and read them for every query."""


@dataclass(frozen=True)
class Task:
    """One measurement: a method and the synthetic rows that it learns.

    Attributes
    ----------
    method : str
        `OURS` or a key of `BASELINES`.
    rows, features, classes, seed : int
        See `synthetic_rows`.
    solver : str
        Solver of `OURS`: "auto" or "ridge". Baselines ignore it.
    """

    method: str
    rows: int
    solver: str = "auto"
    features: int = 64
    classes: int = 10
    seed: int = 0

    @property
    def name(self) -> str:
        """The method, followed by the solver if it is not "auto"."""
        return self.method if self.solver == "auto" else f"{self.method} ({self.solver})"


@dataclass(frozen=True)
class Cost:
    """Result of one task.

    Attributes
    ----------
    accuracy : float
        Share of the 1,000 test rows with the right label, 0 to 1.
    seconds : float
        Wall-clock time from labelled rows to a model that can answer.
    peak_bytes : int
        Growth of the process's largest resident memory while learning.
    traced_bytes : int
        Largest amount of memory that Python and numpy allocated while learning, in a second fit.
    bytes, state_bytes : int
        See `Measurement`.
    n_random_features : int
        Number of random features that `OURS` chose to add to the rows; 0 for baselines.
    p50_1, p99_1, p50_256, p99_256 : float
        Median and 99th percentile of the seconds per call that predicts 1 or 256 rows.
    """

    accuracy: float
    seconds: float
    peak_bytes: int
    traced_bytes: int
    bytes: int
    state_bytes: int
    n_random_features: int
    p50_1: float
    p99_1: float
    p50_256: float
    p99_256: float

    def throughput(self, batch: int) -> float:
        """Return the rows predicted per second in batches of 1 or 256."""
        return batch / (self.p50_1 if batch == 1 else self.p50_256)


def list_tasks(methods: Sequence[str], sizes: Sequence[int]) -> list[Task]:
    """List the tasks of all methods, grouped by size; `OURS` also with the solver "ridge".

    Parameters
    ----------
    methods : sequence of str
        Keys of `BASELINES`; each is left out above its size in `CAPS`.
    sizes : sequence of int
        Numbers of rows.
    """
    listed = []
    for rows in sizes:
        listed += [Task(OURS, rows), Task(OURS, rows, solver="ridge")]
        listed += [Task(name, rows) for name in methods if rows <= CAPS.get(name, rows)]
    return listed


def measure_tasks(listed: Sequence[Task], repeats: int = 1) -> Iterator[tuple[Task, list[Cost]]]:
    """Measure every task; within a size, the methods take turns.

    Parameters
    ----------
    listed : sequence of Task
    repeats : int
        Measurements per task of at most `REPEATED_ROWS` rows, unless the first one took longer
        than `SLOW_SECONDS`; others are measured once.

    Yields
    ------
    Task, list of Cost
        One cost per measurement.

    Raises
    ------
    RuntimeError
        See `measure_in_process`.
    """
    for rows in dict.fromkeys(task.rows for task in listed):
        group = [task for task in listed if task.rows == rows]
        found: dict[Task, list[Cost]] = {task: [] for task in group}
        for _ in range(repeats if rows <= REPEATED_ROWS else 1):
            for task in group:
                if not any(cost.seconds > SLOW_SECONDS for cost in found[task]):
                    found[task].append(measure_in_process(task))
        yield from found.items()


def median_cost(costs: Sequence[Cost]) -> Cost:
    """Return the median of every figure."""
    return Cost(
        **{name: median(getattr(cost, name) for cost in costs) for name in asdict(costs[0])}
    )


def measure_in_process(task: Task) -> Cost:
    """Measure one task in a new process with one thread.

    Raises
    ------
    RuntimeError
        If the task failed or its process was killed.
    """
    try:
        return in_new_process(measure_task, task)
    except Exception as error:
        raise RuntimeError(
            f"{task.name} at {task.rows:,} rows failed: {type(error).__name__}: {error}"
        ) from error


def measure_task(task: Task) -> Cost:
    """Measure learning, then prediction with the model as it would be deployed.

    The largest resident memory is that of the whole process: measure every task in a process of its
    own.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # baselines warn when they reach their iteration limit
        support, (rows, labels) = synthetic_rows(task.rows, task.features, task.classes, task.seed)
        warm_up([task.method])
        options: dict[str, Any] = {"solver": Ridge()} if task.solver == "ridge" else {}
        before = peak_resident()
        started = time.perf_counter()
        model = fit_and_solve(build(task.method, **options), support)
        seconds = time.perf_counter() - started
        resident = peak_resident() - before
        tracemalloc.start()
        fit_and_solve(build(task.method, **options), support)
        traced = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        reader = model.compact() if task.method == OURS else model
        single = time_calls(lambda i: reader.predict(rows[i % len(rows)][None]))
        batched = time_calls(lambda i: reader.predict(rows[:256]))
        return Cost(
            float((model.predict(rows) == labels).mean()),
            seconds,
            resident,
            traced,
            *model_bytes(model),
            model.n_random_features_ if task.method == OURS else 0,
            *(float(q) for calls in (single, batched) for q in np.quantile(calls, [0.5, 0.99])),
        )


def peak_resident() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    import resource  # Windows has none

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def synthetic_rows(
    rows: int, features: int = 64, classes: int = 10, seed: int = 0
) -> tuple[Labelled, Labelled]:
    """Draw unit rows around random class centres, a support and 1,000 test rows.

    The noise is twice as long as the centres, so that no method is perfect.

    Parameters
    ----------
    rows, features, classes : int
        Number of support rows, of their columns and of classes.
    seed : int

    Returns
    -------
    support, test : pair of ndarray
        Rows of shape (n, features), float32, and labels of shape (n,), int.
    """
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((classes, features), dtype=np.float32)

    def draw(count: int) -> Labelled:
        labels = rng.permutation(np.arange(count) % classes)
        found = np.empty((count, features), np.float32)
        for part in gen_batches(count, 4_096):  # in small parts, so as not to set the memory peak
            drawn = 2 * rng.standard_normal(found[part].shape, dtype=np.float32)
            drawn += centres[labels[part]]
            found[part] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return found, labels

    return draw(rows), draw(TEST_ROWS)
