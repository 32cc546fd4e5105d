"""What results/scale/efficiency.md says and shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._lib.limits import describe as describe_limits
from benchmarks._lib.limits import least_seconds
from benchmarks._lib.plots import lines_against
from benchmarks._lib.report import provenance, size, table, verdict, write_page
from faast.evaluation.efficiency import CAPS, MEMORIES, REPEATED_ROWS, Cost
from faast.evaluation.measure import OURS, SLOW_SECONDS
from faast.evaluation.time_to_accuracy import BUDGETS, TimeToAccuracy

FIXED = f"{OURS} (ridge)"
MANY_ROWS = 50_000
RACE_ROWS = 1_000
N_FEATURES, N_CLASSES = 64, 10
Costs = dict[tuple[str, int], Cost]
Latency = dict[int, tuple[float, float]]


@dataclass(frozen=True)
class RaceRow:
    """A race as the csv has it; shares in 0 to 1."""

    method: str
    rows: int
    seconds: float
    accuracy: float
    peer_seconds: float
    peer_accuracy: float
    budget: int
    reached: bool

    @classmethod
    def of(cls, method: str, rows: int, done: TimeToAccuracy) -> RaceRow:
        ours, theirs = done.ours, done.theirs
        return cls(method, rows, ours.seconds, ours.accuracy, theirs.seconds, theirs.accuracy, done.budget, done.reached)  # fmt: skip

    @classmethod
    def read(cls, row: dict[str, str]) -> RaceRow:
        texts = dict(row)
        return cls(
            method=texts.pop("method"),
            rows=int(texts.pop("rows")),
            budget=int(texts.pop("budget")),
            reached=texts.pop("reached") == "True",
            **{name: float(text) for name, text in texts.items()},
        )

    @property
    def key(self) -> tuple[str, int]:
        return self.method, self.rows

    @property
    def saved(self) -> float:
        return 100 * (1 - self.seconds / self.peer_seconds)


def by_name(costs: Costs) -> dict[str, dict[int, Cost]]:
    found: dict[str, dict[int, Cost]] = {}
    for (name, rows), cost in costs.items():
        found.setdefault(name, {})[rows] = cost
    return found


def grid(costs: Costs, cell: Callable[[Cost], str]) -> list[str]:
    rows_of = sorted({rows for _, rows in costs})
    return table(
        ["method", *(f"{rows:,}" for rows in rows_of)],
        [
            [name, *(cell(points[rows]) if rows in points else "" for rows in rows_of)]
            for name, points in sorted(
                by_name(costs).items(), key=lambda one: one[0] not in (OURS, FIXED)
            )
        ],
    )


def limits(costs: Costs) -> list[str]:
    """Say how much of our time the products take that must be done."""
    told = []
    for rows, cost in sorted(by_name(costs)[OURS].items()):
        least = least_seconds(rows, N_FEATURES, N_CLASSES, int(cost.n_random_features))
        told.append(f"{least:.2g} s at {rows:,} ({least / cost.seconds:.0%} of ours)")
    return [f"{describe_limits()} {'; '.join(told)}.", ""]


def chosen(costs: Costs) -> list[str]:
    points = by_name(costs)[OURS]
    return [
        f"What `{OURS}` chose: a Gaussian discriminant of the rows alone, and from some size on of "
        "random features of them too, by number of random features: "
        + ", ".join(
            f"{cost.n_random_features:.0f} at {rows:,}" for rows, cost in sorted(points.items())
        )
        + ".",
        "",
    ]


# -- beside backprop ---------------------------------------------------------------------------


def racing(races: list[RaceRow]) -> list[str]:
    rows = [
        [
            row.method, f"{row.rows:,}", f"{row.seconds:.3g}", f"{100 * row.accuracy:.1f}",
            f"{row.budget:,}", f"{row.peer_seconds:.3g}", f"{100 * row.peer_accuracy:.1f}",
            f"{row.saved:.1f}" if row.reached else f"{row.saved:.1f}, never as accurate",
            verdict(row.saved >= 90),
        ]
        for row in races
    ]  # fmt: skip
    return [
        "## To equal accuracy, beside methods trained by gradients",
        "",
        "Each peer is trained with growing budgets (linear-projection: passes, with a schedule of that "
        "length, nothing held out; linear-sgd: passes at most; logistic: iterations of L-BFGS at most, "
        "C chosen within) until it is as accurate on the test rows as ours. Only the seconds of the "
        "budget that suffices count, as if it had been known beforehand; where none does, those of the "
        "largest. "
        "Processor seconds of one thread, in one process; ours: median of three.",
        "",
        *table(
            ["peer", "rows", "ours (s)", "ours (%)", "its budget", "its seconds", "its accuracy (%)",
             "time saved (%)", "≥ 90%"],
            rows,
        ),
        *told(races),
    ]  # fmt: skip


def told(races: list[RaceRow]) -> list[str]:
    lines = []
    for name in BUDGETS:
        large = [row for row in races if row.method == name and row.rows >= RACE_ROWS]
        if large:
            met = [row for row in large if row.saved >= 90]
            lines.append(
                f"- {name}, {RACE_ROWS:,} rows or more: at least 90% saved at {len(met)} of "
                f"{len(large)} sizes; from {min(row.saved for row in large):.1f}% to "
                f"{max(row.saved for row in large):.1f}%."
            )
    return [*lines, ""]


# -- bytes and latency ---------------------------------------------------------------------------


def smaller_from(points: dict[int, Cost], held: Callable[[Cost], float], theirs: dict[int, Cost]) -> str:  # fmt: skip
    """Name the first measured size where what ours holds is smaller."""
    found = [rows for rows in sorted(theirs) if held(points[rows]) < theirs[rows].bytes]
    return f"{found[0]:,}" if found else "none"


def bytes_beside(costs: Costs) -> list[str]:
    found = by_name(costs)
    ours = found[OURS]
    rows = []
    for name, points in found.items():
        many = [n for n in points if n >= MANY_ROWS]
        if name in (OURS, FIXED) or not many:
            continue
        saved = 100 * (1 - ours[max(many)].bytes / points[max(many)].bytes)
        rows.append([
            name, f"{max(many):,}", size(points[max(many)].bytes), size(ours[max(many)].bytes),
            size(ours[max(many)].state_bytes), f"{saved:.2f}",
            verdict(saved >= 95) if name in MEMORIES else "keeps no rows",
            smaller_from(ours, lambda cost: cost.bytes, points),
            smaller_from(ours, lambda cost: cost.state_bytes, points),
        ])  # fmt: skip
    return [
        f"Each peer at the largest N ≥ {MANY_ROWS:,} that was measured:",
        "",
        *table(
            ["peer", "rows", "its bytes", "ours to predict", "ours to go on", "fewer to predict (%)",
             "≥ 95%", "ours to predict is smaller from", "ours to go on is smaller from"],
            rows,
        ),
    ]  # fmt: skip


def latency_lines(latency: Latency) -> list[str]:
    few, many = (latency[rows] for rows in sorted(latency))
    small, large = sorted(latency)
    ratios = [after / before for before, after in zip(few, many, strict=True)]
    rows = [
        [batch, f"{1e6 * before:.1f}", f"{1e6 * after:.1f}", f"{ratio:.3f}", verdict(ratio <= 1.03)]
        for batch, before, after, ratio in zip((1, 256), few, many, ratios, strict=True)
    ]
    return [
        f"A fixed solver (`Ridge`) that learned {small:,} rows and one that learned {large:,}, in one "
        "process, calls taking turns, medians (µs):",
        "",
        *table(
            ["batch", f"after {small:,}", f"after {large:,}", "ratio", "within 3%"],
            rows,
        ),
    ]


def write_report(
    costs: Costs,
    races: list[RaceRow],
    latency: Latency,
    bounds: list[str],
    command: str,
    repeats: int,
    folder: Path,
) -> None:
    caps = ", ".join(f"{name} {rows:,}" for name, rows in CAPS.items())
    lines = [
        "# Efficiency: what adapting and answering cost as rows grow",
        "",
        provenance(command),
        "",
        f"Synthetic unit rows, {N_FEATURES} features, {N_CLASSES} classes, seed 0. Every point in a process of its own, after "
        f"a warm-up; up to {REPEATED_ROWS:,} rows the median of {repeats}, methods taking turns; above that, and "
        f"where one run takes over {SLOW_SECONDS:.0f} s, one run. Seconds are of the clock, on one thread. Sizes may be measured in several runs of the command "
        f"(`--sizes`). Peers stop at a size past which they take too long: {caps}. `{FIXED}` is one solver at "
        f"every size; `{OURS}` chooses its own. A resident peak that grew by 0 B stayed below what the "
        "warm-up had reached before; the traced peak counts then. A p99 of milliseconds is the scheduler of a "
        "busy machine.",
        "",
        "## Seconds to adapt",
        "",
        *grid(costs, lambda c: f"{c.seconds:.3g}"),
        *limits(costs),
        "## Accuracy (%)",
        "",
        *grid(costs, lambda c: f"{100 * c.accuracy:.1f}"),
        *chosen(costs),
        *racing(races),
        *bounds,
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
        *bytes_beside(costs),
        "## Latency of one row (µs): p50 / p99",
        "",
        *grid(costs, lambda c: f"{1e6 * c.p50_1:.0f} / {1e6 * c.p99_1:.0f}"),
        *latency_lines(latency),
        "## Throughput (rows a second): batch 1 / batch 256",
        "",
        *grid(costs, lambda c: f"{c.throughput(1):,.0f} / {c.throughput(256):,.0f}"),
    ]
    write_page(folder / "efficiency.md", lines)


def write_plot(costs: Costs, folder: Path) -> None:
    shown = {
        name: points for name, points in by_name(costs).items() if name in (OURS, FIXED, *MEMORIES)
    }
    panels: dict[str, Any] = {
        title: {
            name: [(rows, cell(cost)) for rows, cost in points.items()]
            for name, points in shown.items()
        }
        for title, cell in {
            "bytes to predict": lambda cost: cost.bytes,
            "seconds to answer one row (p50)": lambda cost: cost.p50_1,
        }.items()
    }
    lines_against("learned rows", panels, folder / "efficiency.png", ours=OURS)


def figures(costs: Costs, races: list[RaceRow], latency: Latency) -> dict[str, float]:
    """Return what docs/claims.md quotes, of the sizes that a quick run has too."""
    found = by_name(costs)
    few, many = (latency[rows] for rows in sorted(latency))
    ours, theirs = found[OURS][MANY_ROWS].bytes, found["k-nn"][MANY_ROWS].bytes
    saved = {row.method: row.saved for row in races if row.rows == RACE_ROWS}
    return {
        "fewer_bytes": 100 * (1 - ours / theirs),
        "latency_1": many[0] / few[0],
        "latency_256": many[1] / few[1],
        **{f"saved_{name}".replace("-", "_"): value for name, value in saved.items()},
    }
