"""What adapting and answering cost from 10 rows to 1,000,000, beside every peer.

Run ``make bench``, or ``python benchmarks/efficiency.py [--quick] [--repeats 1] [--methods gda ...]``;
it writes results/efficiency.md, results/efficiency.csv and results/efficiency.png.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import asdict

from faast.baselines import BASELINES
from faast.evaluation.efficiency import (
    CAPS,
    MEMORIES,
    QUICK_SIZES,
    SIZES,
    Cost,
    Task,
    measure_points,
    medians,
    tasks,
)
from faast.evaluation.methods import OURS
from plots import lines_against
from report import RESULTS, provenance, size, table, verdict

FIXED = f"{OURS} (ridge)"
Costs = dict[Task, Cost]


def by_name(costs: Costs) -> dict[str, dict[int, Cost]]:
    found: dict[str, dict[int, Cost]] = {}
    for task, cost in costs.items():
        found.setdefault(task.name, {})[task.rows] = cost
    return found


def grid(costs: Costs, cell) -> list[str]:
    rows_of = sorted({task.rows for task in costs})
    return table(
        ["method", *(f"{rows:,}" for rows in rows_of)],
        [
            [name, *(cell(points[rows]) if rows in points else "" for rows in rows_of)]
            for name, points in by_name(costs).items()
        ],
    )


def backprop(costs: Costs) -> list[str]:
    found = by_name(costs)
    return table(
        [
            "rows",
            "ours (s)",
            "linear projection (s)",
            "time saved (%)",
            "accuracy (%)",
            "theirs (%)",
        ],
        [
            [
                f"{rows:,}",
                f"{ours.seconds:.3g}",
                f"{theirs.seconds:.3g}",
                f"{100 * (1 - ours.seconds / theirs.seconds):.1f}",
                f"{100 * ours.accuracy:.1f}",
                f"{100 * theirs.accuracy:.1f}",
            ]
            for rows, theirs in found.get("linear-projection", {}).items()
            for ours in [found[OURS][rows]]
        ],
    )


def crossover(ours: dict[int, Cost], theirs: dict[int, Cost]) -> str:
    """Name the first measured size from which our resumable state is smaller."""
    smaller = [rows for rows in sorted(theirs) if ours[rows].state_bytes < theirs[rows].bytes]
    return f"{smaller[0]:,}" if smaller else f"above {max(theirs):,}"


def memories(costs: Costs) -> list[str]:
    found = by_name(costs)
    rows = []
    for name in MEMORIES:
        points = found.get(name)
        if not points:
            continue
        top = max(points)
        saved = 100 * (1 - found[OURS][top].bytes / points[top].bytes)
        met = saved >= 95 if top >= 50_000 else None
        rows.append(
            [
                name,
                f"{top:,}",
                size(points[top].bytes),
                size(found[OURS][top].bytes),
                f"{saved:.2f}",
                verdict(met),
                crossover(found[OURS], points),
            ]
        )
    return table(
        ["memory method", "rows", "its bytes", "ours, compact", "fewer (%)", "≥ 95% at ≥ 50,000",
         "our resumable state is smaller from (first measured)"],
        rows,
    )  # fmt: skip


def latency(costs: Costs) -> list[str]:
    points = by_name(costs)[FIXED]
    small, large = points.get(100, points[min(points)]), points[max(points)]
    ratio = large.p50_256 / small.p50_256
    return [
        f"Fixed solver (ridge), batch 256, the largest N over the smallest from 100 on: "
        f"**{ratio:.3f}** ({1e6 * small.p50_256:.0f} µs to {1e6 * large.p50_256:.0f} µs); within "
        f"3%: {verdict(abs(ratio - 1) <= 0.03)}. Processes of their own, hence the noise of the "
        "machine is in it; results/core.md has the ratio inside one process.",
        "",
    ]


def report(costs: Costs, command: str, repeats: int) -> list[str]:
    caps = ", ".join(f"{name} {rows:,}" for name, rows in CAPS.items())
    return [
        "# Efficiency: what adapting and answering cost as rows grow",
        "",
        provenance(command),
        "",
        f"Synthetic unit rows, 64 features, 10 classes, seed 0. Every point in a process of its own, "
        f"after a warm-up; median of {repeats} (methods take turns within a size). Seconds are of "
        f"the clock. Peers stop at a size past which they take too long: {caps}. "
        f"`{FIXED}` is one solver at every size; `{OURS}` chooses its own. A resident peak that grew by "
        "0 B stayed below what imports had reached before; the traced peak counts then. A p99 of "
        "milliseconds is the scheduler of a busy machine.",
        "",
        "## Seconds to adapt",
        "",
        *grid(costs, lambda c: f"{c.seconds:.3g}"),
        "## Accuracy (%)",
        "",
        *grid(costs, lambda c: f"{100 * c.accuracy:.1f}"),
        "## Beside backprop",
        "",
        *backprop(costs),
        "## Peak memory while adapting: growth of the resident peak / traced allocations",
        "",
        *grid(costs, lambda c: f"{size(c.peak_bytes)} / {size(c.traced_bytes)}"),
        "## Bytes kept: to predict (to go on learning)",
        "",
        *grid(
            costs,
            lambda c: size(c.bytes) + (f" ({size(c.state_bytes)})" if c.state_bytes else ""),
        ),
        "![bytes and latency as rows grow](efficiency.png)",
        "",
        *memories(costs),
        "## Latency of one row (µs): p50 / p99",
        "",
        *grid(costs, lambda c: f"{1e6 * c.p50_1:.0f} / {1e6 * c.p99_1:.0f}"),
        "## Throughput (rows a second): batch 1 / batch 256",
        "",
        *grid(costs, lambda c: f"{c.throughput(1):,.0f} / {c.throughput(256):,.0f}"),
        *latency(costs),
    ]


def write_csv(costs: Costs) -> None:
    with (RESULTS / "efficiency.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["method", "rows", *Cost.__dataclass_fields__])
        for task, cost in costs.items():
            writer.writerow([task.name, task.rows, *(f"{v:.6g}" for v in asdict(cost).values())])


def write_plot(costs: Costs) -> None:
    shown = {
        name: points for name, points in by_name(costs).items() if name in (OURS, FIXED, *MEMORIES)
    }
    panels = {
        title: {
            name: [(rows, cell(cost)) for rows, cost in points.items()]
            for name, points in shown.items()
        }
        for title, cell in {
            "bytes to predict": lambda cost: cost.bytes,
            "seconds to answer one row (p50)": lambda cost: cost.p50_1,
        }.items()
    }
    lines_against("learned rows", panels, RESULTS / "efficiency.png", ours=OURS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three sizes up to 10,000")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, metavar="ROWS")
    parser.add_argument("--methods", nargs="+", choices=BASELINES, metavar="NAME")
    options = parser.parse_args()
    peers = options.methods or [name for name in BASELINES if name != "zero-shot"]
    costs: Costs = {}
    listed = tasks(peers, QUICK_SIZES if options.quick else options.sizes)
    for task, measured in measure_points(listed, options.repeats):
        print(f"{task.name}: {task.rows:,} rows", file=sys.stderr, flush=True)
        costs[task] = medians(measured)
    command = " ".join(["python benchmarks/efficiency.py", *sys.argv[1:]])
    RESULTS.mkdir(exist_ok=True)
    write_csv(costs)
    write_plot(costs)
    page = report(costs, command, options.repeats)
    (RESULTS / "efficiency.md").write_text("\n".join(page), encoding="utf-8")


if __name__ == "__main__":
    main()
