"""`faast bench efficiency`: what adapting and answering cost as rows grow."""

from __future__ import annotations

from dataclasses import asdict

from faast.cli.bench.options import USUAL, Methods, Quick
from faast.cli.options import Json
from faast.cli.output import emit, one_line_errors, show_table
from faast.evaluation.efficiency import (
    QUICK_SIZES,
    SIZES,
    Cost,
    Task,
    measure_points,
    medians,
    tasks,
)
from faast.evaluation.methods import check_methods
from faast.progress import follow


@one_line_errors
def efficiency(method: Methods = None, quick: Quick = False, json: Json = False) -> None:
    """Measure seconds, memory and latency on synthetic rows, every point in a fresh process."""
    methods = method or list(USUAL)
    check_methods(methods)
    listed = tasks(methods, QUICK_SIZES if quick else SIZES)
    costs: dict[Task, Cost] = {}
    points = measure_points(listed)
    for task, found in follow(points, lambda: len(costs) / len(listed), "Measuring", enabled=True):
        costs[task] = medians(found)
    if json:
        emit(
            {
                f"{task.name}_{task.rows}_{fact}".replace("-", "_"): value
                for task, cost in costs.items()
                for fact, value in asdict(cost).items()
            },
            json,
        )
        return
    show_table(
        "Synthetic rows of 64 features, 10 classes",
        [
            "",
            "rows",
            "accuracy",
            "seconds",
            "peak MB",
            "kB to predict",
            "µs a row",
            "rows/s at 256",
        ],
        [
            [
                task.name,
                f"{task.rows:,}",
                f"{cost.accuracy:.1%}",
                f"{cost.seconds:.3g}",
                f"{cost.peak_bytes / 1e6:.0f}",
                f"{cost.bytes / 1e3:.1f}",
                f"{1e6 * cost.p50_1:.0f}",
                f"{cost.throughput(256):,.0f}",
            ]
            for task, cost in costs.items()
        ],
    )
