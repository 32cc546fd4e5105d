"""What adapting and answering cost from 10 rows to 1,000,000, beside every peer.

Run ``make bench``, or ``python -m benchmarks.scale.efficiency [--sizes 10 100 ...] [--methods gda ...] [--repeats 3] [--quick]``;
it writes results/scale/efficiency.md, efficiency.csv, efficiency_races.csv and efficiency.png (--quick:
below results/quick). Sizes may be measured in several runs: points of others stay as the csv has them.
"""

from __future__ import annotations

import argparse
import csv
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import command_line, write_csv, write_figures
from benchmarks.scale.bounds import bound_lines, bounded_costs
from benchmarks.scale.efficiency_report import (
    FIXED,
    Costs,
    RaceRow,
    figures,
    write_plot,
    write_report,
)
from faast import FaastClassifier, Ridge
from faast.evaluation.baselines import BASELINES
from faast.evaluation.efficiency import (
    SIZES,
    Cost,
    list_tasks,
    measure_tasks,
    median_cost,
    synthetic_rows,
)
from faast.evaluation.measure import OURS, one_thread, time_in_turns, warm_up
from faast.evaluation.time_to_accuracy import BUDGETS, time_to_accuracy

QUICK_SIZES = (100, 1_000, 50_000)
QUICK_PEERS = ("k-nn", "softmax-memory")
QUICK_RACE_ROWS = 1_000
LATENCY_SIZES = (100, 1_000_000)
TURNS = 2_000


@dataclass
class Points:
    """What is measured so far, in files that a later run reads again."""

    folder: Path
    costs: Costs
    races: list[RaceRow]

    @classmethod
    def read(cls, folder: Path) -> Points:
        costs = {
            (row.pop("method"), int(row.pop("rows"))): Cost(**{k: float(v) for k, v in row.items()})
            for row in read_csv(folder / "efficiency.csv")
        }
        races = [RaceRow.read(row) for row in read_csv(folder / "efficiency_races.csv")]
        return cls(folder, costs, races)

    def write(self) -> None:
        order = [OURS, FIXED, *BASELINES]
        self.costs = dict(sorted(self.costs.items(), key=lambda one: (one[0][1], order.index(one[0][0]))))  # fmt: skip
        self.races.sort(key=lambda row: (list(BUDGETS).index(row.method), row.rows))
        write_csv(
            self.folder / "efficiency.csv",
            ["method", "rows", *Cost.__dataclass_fields__],
            ([*key, *asdict(cost).values()] for key, cost in self.costs.items()),
        )
        write_csv(
            self.folder / "efficiency_races.csv",
            RaceRow.__dataclass_fields__,
            (asdict(row).values() for row in self.races),
        )


def read_csv(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def races(points: Points, asked: Sequence[int], largest: int) -> Iterator[RaceRow]:
    """Race at the sizes asked for, and at those that an interrupted run left without."""
    done = {row.key for row in points.races}
    for name, budgets in BUDGETS.items():
        for rows in sorted({rows for _, rows in points.costs}):
            wanted = rows in asked or (name, rows) not in done
            if wanted and rows <= min(budgets.rows, largest):
                print(f"{name}: {rows:,} rows, to equal accuracy", file=sys.stderr, flush=True)
                yield RaceRow.of(name, rows, time_to_accuracy(name, *synthetic_rows(rows)))


def fixed_latency() -> dict[int, tuple[float, float]]:
    """Seconds of one row and of 256, by rows learned, with one solver; calls take turns."""
    readers: dict[int, FaastClassifier] = {}
    for rows in LATENCY_SIZES:
        support, (asked, _) = synthetic_rows(rows)
        readers[rows] = FaastClassifier(Ridge()).fit(*support).compact()
    calls: dict[str, Callable[[], Any]] = {
        f"{rows} {batch}": partial(reader.predict, asked[:batch])
        for rows, reader in readers.items()
        for batch in (1, 256)
    }
    found = time_in_turns(calls, TURNS)
    return {rows: (found[f"{rows} 1"], found[f"{rows} 256"]) for rows in LATENCY_SIZES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three sizes, two peers, one turn")
    parser.add_argument("--repeats", type=int, default=3, help="turns of points up to 10,000 rows")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, metavar="ROWS")
    parser.add_argument("--methods", nargs="+", choices=BASELINES, metavar="NAME")
    options = parser.parse_args()
    peers = options.methods or [name for name in BASELINES if name != "zero-shot"]
    sizes, repeats, largest = options.sizes, options.repeats, max(SIZES)
    if options.quick:
        sizes, repeats, largest, peers = QUICK_SIZES, 1, QUICK_RACE_ROWS, list(QUICK_PEERS)
    warnings.simplefilter("ignore")  # peers that stop at their own bound of passes
    points = Points.read(results_folder("scale", options.quick))
    for task, measured in measure_tasks(list_tasks(peers, sizes), repeats):
        print(f"{task.name}: {task.rows:,} rows", file=sys.stderr, flush=True)
        points.costs[task.name, task.rows] = median_cost(measured)
        points.write()
    one_thread()
    warm_up([OURS, *BUDGETS])
    for row in races(points, sizes, largest):
        points.races = [old for old in points.races if old.key != row.key] + [row]
        points.write()
    latency = fixed_latency()
    bounds = [] if options.quick else bound_lines(list(bounded_costs()))
    command = command_line("scale.efficiency")
    write_plot(points.costs, points.folder)
    write_report(points.costs, points.races, latency, bounds, command, repeats, points.folder)
    write_figures(points.folder, "efficiency", figures(points.costs, points.races, latency))


if __name__ == "__main__":
    main()
