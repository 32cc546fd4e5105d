"""The process that measures one task of the efficiency protocol.

``python -m faast.evaluation._efficiency_worker TASK`` takes a `Task` as JSON and writes its `Cost`
as JSON on standard output.
"""

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
from faast.evaluation.efficiency import Cost, Task, synthetic_rows
from faast.evaluation.measure import OURS, build, fit_and_solve, model_bytes, time_calls, warm_up


def measure_task(task: Task) -> Cost:
    """Measure learning, then prediction with the model as it would be deployed."""
    options: dict[str, Any] = {"solver": Ridge()} if task.solver == "ridge" else {}
    support, (rows, labels) = synthetic_rows(task.rows, task.features, task.classes, task.seed)
    warm_up([task.method])
    before = peak_resident()
    started = time.perf_counter()
    model = fit_and_solve(build(task.method, **options), support)
    seconds = time.perf_counter() - started
    resident = peak_resident() - before
    tracemalloc.start()
    fit_and_solve(build(task.method, **options), support)
    traced = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    sizes = model_bytes(model)
    reader = model.compact() if task.method == OURS else model
    single = time_calls(lambda i: reader.predict(rows[i % len(rows)][None]))
    batched = time_calls(lambda i: reader.predict(rows[:256]))
    accuracy = float((model.predict(rows) == labels).mean())
    quantiles = [float(q) for calls in (single, batched) for q in np.quantile(calls, [0.5, 0.99])]
    n_random_features = model.n_random_features_ if task.method == OURS else 0
    return Cost(accuracy, seconds, resident, traced, *sizes, n_random_features, *quantiles)


def peak_resident() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # baselines warn when they reach their iteration limit
    with threadpool_limits(1):
        cost = measure_task(Task(**json.loads(sys.argv[1])))
    sys.stdout.write(json.dumps(asdict(cost)))
