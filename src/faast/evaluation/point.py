"""One point of `faast.evaluation.efficiency`, run as a process: a task in, its cost as JSON out."""

from __future__ import annotations

import json
import resource
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from sklearn.utils import gen_batches
from threadpoolctl import threadpool_limits

from faast import Ridge
from faast._typing import AnyArray, FloatArray
from faast.evaluation.efficiency import Cost, Task
from faast.evaluation.methods import Labelled, build, fitted, held_bytes, warm_up

TEST_ROWS = 1_000
CALL_SECONDS = 1.0
"""Calls of one batch size go on for about this long, 20 at least and 1,000 at most."""


def synthetic(task: Task) -> tuple[Labelled, Labelled]:
    """Draw unit float32 rows around random class centres: a support and 1,000 test rows.

    The noise is twice as long as the centres, so that no method is perfect.
    """
    rng = np.random.default_rng(task.seed)
    centres = rng.standard_normal((task.classes, task.features), dtype=np.float32)

    def draw(rows: int) -> Labelled:
        labels = rng.permutation(np.arange(rows) % task.classes)
        found = np.empty((rows, task.features), np.float32)
        for part in gen_batches(rows, 4_096):  # small parts, or drawing would be the peak
            drawn = 2 * rng.standard_normal(found[part].shape, dtype=np.float32)
            drawn += centres[labels[part]]
            found[part] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return found, labels

    return draw(task.rows), draw(TEST_ROWS)


def measure_point(task: Task) -> Cost:
    """Measure adaptation, then prediction of the adapted model as it would be deployed."""
    options: dict[str, Any] = {"solver": Ridge()} if task.solver == "ridge" else {}
    support, (rows, labels) = synthetic(task)
    warm_up([task.method])
    before = peak_resident()
    started = time.perf_counter()
    model = fitted(build(task.method, **options), support)
    seconds = time.perf_counter() - started
    resident = peak_resident() - before
    tracemalloc.start()
    fitted(build(task.method, **options), support)
    traced = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = held_bytes(model)
    reader = model.compact() if held[1] else model
    ones = call_seconds(lambda i: reader.predict(rows[i % TEST_ROWS : i % TEST_ROWS + 1]))
    many = call_seconds(lambda i: reader.predict(rows[:256]))
    accuracy = float((model.predict(rows) == labels).mean())
    quantiles = [float(q) for calls in (ones, many) for q in np.quantile(calls, [0.5, 0.99])]
    return Cost(accuracy, seconds, resident, traced, *held, *quantiles)


def call_seconds(call: Callable[[int], AnyArray]) -> FloatArray:
    """Time calls one by one, after three that warm up."""
    for i in range(3):
        call(i)
    spent: list[float] = []
    while len(spent) < 20 or (sum(spent) < CALL_SECONDS and len(spent) < 1_000):
        started = time.perf_counter()
        call(len(spent))
        spent.append(time.perf_counter() - started)
    return np.array(spent)


def peak_resident() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # peers that stop at their own bound of iterations
    with threadpool_limits(1):
        cost = measure_point(Task(**json.loads(sys.argv[1])))
    sys.stdout.write(json.dumps(asdict(cost)))
