"""One point of `faast.evaluation.efficiency`, run as a process: a task in, its cost as JSON out."""

from __future__ import annotations

import json
import resource
import sys
import time
import tracemalloc
import warnings
from dataclasses import asdict
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from faast import Ridge
from faast.evaluation.efficiency import Cost, Task, call_seconds, synthetic
from faast.evaluation.measure import OURS, build, fitted, held_bytes, warm_up


def measure_point(task: Task) -> Cost:
    """Measure adaptation, then prediction of the adapted model as it would be deployed."""
    options: dict[str, Any] = {"solver": Ridge()} if task.solver == "ridge" else {}
    support, (rows, labels) = synthetic(task.rows, task.features, task.classes, task.seed)
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
    ones = call_seconds(lambda i: reader.predict(rows[i % len(rows)][None]))
    many = call_seconds(lambda i: reader.predict(rows[:256]))
    accuracy = float((model.predict(rows) == labels).mean())
    quantiles = [float(q) for calls in (ones, many) for q in np.quantile(calls, [0.5, 0.99])]
    lifted = model.n_random_features_ if task.method == OURS else 0
    return Cost(accuracy, seconds, resident, traced, *held, lifted, *quantiles)


def peak_resident() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # peers that stop at their own bound of iterations
    with threadpool_limits(1):
        cost = measure_point(Task(**json.loads(sys.argv[1])))
    sys.stdout.write(json.dumps(asdict(cost)))
