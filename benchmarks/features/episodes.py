"""600 episodes of few-shot classification, as the papers run them: ours, the paper's way, fast peers.

Run ``make bench``, or ``python -m benchmarks.features.episodes [--count 600] [--seed 0] [--quick]``; it writes
results/features/episodes.md and results/features/episodes.csv (--quick: below results/quick).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks._lib.datasets import Dataset, load
from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import (
    command_line,
    plus_minus,
    provenance,
    table,
    write_csv,
    write_figures,
    write_page,
)
from faast.evaluation.few_shot import Episodes, few_shot
from faast.evaluation.measure import OURS, Labelled, one_thread

SETS = ("cifar10", "caltech101", "caltech101_named", "banking77")
QUICK_SETS = ("cifar10", "banking77")
PROJECTION = "linear-projection"
PAPER = "paper-faast"
METHODS = (OURS, PAPER, "nearest-mean", "k-nn", "softmax-memory", "gda", "ridge-cv", PROJECTION)
SHOTS = (1, 5)
QUICK_COUNT = 30


@dataclass(frozen=True)
class Protocol:
    """How episodes are made of a set."""

    ways: int | None
    queries: int

    def told(self) -> str:
        ways = "all classes" if self.ways is None else f"{self.ways} ways"
        return f"{ways}, {self.queries} queries a class"


USUAL = Protocol(5, 15)
PAPERS = Protocol(None, 20)


@dataclass(frozen=True)
class Row:
    """One method; accuracy and its interval in percent, seconds to adapt in the mean."""

    set: str
    protocol: str
    shots: int
    method: str
    accuracy: float
    half_interval: float
    seconds: float


def askable(dataset: Dataset, queries: int) -> Labelled:
    """Return the test rows of classes that have enough of them."""
    classes, counts = np.unique(dataset.test_labels, return_counts=True)
    kept = np.isin(dataset.test_labels, classes[counts >= queries])
    return dataset.test[kept], dataset.test_labels[kept]


def measure(
    dataset: Dataset, protocol: Protocol, shots: int, count: int, seed: int
) -> Iterator[Row]:
    asked = askable(dataset, protocol.queries)
    kept = np.isin(dataset.train_labels, asked[1])
    learned = dataset.train[kept], dataset.train_labels[kept]
    drawn = Episodes(count, protocol.ways, shots, protocol.queries, seed)
    *_, found = few_shot(learned, asked, METHODS, drawn, dataset.class_embeddings)
    for method, done in found.items():
        mean, half = done.interval
        yield Row(
            dataset.name, protocol.told(), shots, method, 100 * mean, 100 * half,
            float(np.mean(done.seconds)),
        )  # fmt: skip


def section(rows: list[Row]) -> list[str]:
    found = {(row.method, row.shots): row for row in rows}
    body = []
    for method in METHODS:
        cells = [found[method, shots] for shots in SHOTS]
        body.append([
            f"**{method}**" if method == OURS else method,
            *(plus_minus(cell.accuracy, cell.half_interval, 2) for cell in cells),
            *(f"{1e3 * cell.seconds:.2f}" for cell in cells),
        ])  # fmt: skip
    header = ["", *(f"{n} shot{'s' * (n > 1)} (%)" for n in SHOTS), *(f"ms at {n}" for n in SHOTS)]
    return [f"## {rows[0].set}: {rows[0].protocol}", "", *table(header, body)]


def seconds(rows: list[Row], method: str) -> float:
    return float(np.mean([row.seconds for row in rows if row.method == method]))


def lead(rows: list[Row], peer: str) -> float:
    accuracy = {name: np.mean([r.accuracy for r in rows if r.method == name]) for name in METHODS}
    return float(accuracy[OURS] - accuracy[peer])


def saved(rows: list[Row]) -> float:
    return 100 * (1 - seconds(rows, OURS) / seconds(rows, PROJECTION))


def write_report(
    rows: list[Row], absent: list[str], command: str, count: int, seed: int, folder: Path
) -> None:
    groups = list(dict.fromkeys((row.set, row.protocol) for row in rows))
    lines = [
        "# Episodes: few shots of a few classes, many times",
        "",
        provenance(command),
        "",
        f"{count} episodes each, seed {seed}; mean accuracy ± 1.96 std / √episodes; all methods on the same "
        "episodes. Supports come from the training rows, queries from the test rows; classes with fewer test "
        "rows than queries are left out. cifar10: MobileNet features; caltech101: CLIP, with "
        "text embeddings of the classes where it is called named; banking77: a sentence encoder, with label "
        f"names. Methods that take class embeddings have them. `{PAPER}` is the paper's own way. "
        "Milliseconds: processor time of one thread from rows to a model that answers, in the mean.",
        "",
        *(f"- {line}" for line in absent),
        "",
        f"- Ours minus `{PAPER}`, mean over the sets and shots below: {lead(rows, PAPER):+.2f} points; "
        f"minus `{PROJECTION}`: {lead(rows, PROJECTION):+.2f}.",
        f"- Mean time of ours {1e3 * seconds(rows, OURS):.2f} ms, of the projection trained by backprop "
        f"{1e3 * seconds(rows, PROJECTION):.2f} ms: {saved(rows):.1f}% saved.",
        "",
    ]
    for group in groups:
        lines += section([row for row in rows if (row.set, row.protocol) == group])
    write_page(folder / "episodes.md", lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_COUNT} episodes, two sets")
    options = parser.parse_args()
    count = QUICK_COUNT if options.quick else options.count
    one_thread()
    sets, absent = load(QUICK_SETS if options.quick else SETS)
    rows: list[Row] = []
    for name, dataset in sets.items():
        for protocol in (USUAL, PAPERS) if name == "cifar10" else (USUAL,):
            for shots in SHOTS:
                print(f"{name}: {protocol.told()}, {shots} shots", file=sys.stderr, flush=True)
                rows += measure(dataset, protocol, shots, count, options.seed)
    folder = results_folder("features", options.quick)
    command = command_line("features.episodes")
    write_csv(folder / "episodes.csv", Row.__dataclass_fields__, (asdict(r).values() for r in rows))
    write_report(rows, absent, command, count, options.seed, folder)
    if "cifar10" in sets:
        usual = [r for r in rows if r.set == "cifar10" and r.protocol == USUAL.told()]
        five = next(r for r in usual if r.method == OURS and r.shots == max(SHOTS))
        figures = {"cifar10_5_shot": five.accuracy, "cifar10_over_paper": lead(usual, PAPER)}
        write_figures(folder, "episodes", figures)


if __name__ == "__main__":
    main()
