"""Classes that arrive in tasks, and rows in other orders, beside inexact ways to keep learning.

Run ``make bench``, or ``python -m benchmarks.features.continual [--quick] [--sets cifar10 ...]``; it writes
results/features/continual.md (--quick: results/quick/features/continual.md).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

import numpy as np

from benchmarks._lib.datasets import CLIP, Dataset, load
from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import (
    command_line,
    provenance,
    table,
    write_figures,
    write_page,
)
from faast.evaluation.continual import (
    ORDERS,
    RIVALS,
    STRENGTH,
    TaskResult,
    class_incremental,
    learn_stream,
    order_rows,
)
from faast.evaluation.measure import one_thread

SETS = ("cifar10", *CLIP, "banking77")
QUICK_SETS = ("cifar10", "caltech101")
TASKS = {"cifar10": 5}
BLOCK = 1024


def smaller(dataset: Dataset, rows: int) -> Dataset:
    kept = order_rows(dataset.train_labels, "shuffled")[:rows]
    return replace(dataset, train=dataset.train[kept], train_labels=dataset.train_labels[kept])


def learn_in_tasks(dataset: Dataset) -> list[TaskResult]:
    train, test = (dataset.train, dataset.train_labels), (dataset.test, dataset.test_labels)
    found = []
    for done in class_incremental(train, test, TASKS.get(dataset.name, 10), block=BLOCK):
        print(f"{dataset.name}: {done.classes} classes", file=sys.stderr)
        found.append(done)
    return found


def task_table(results: list[TaskResult]) -> list[str]:
    rows = [
        [
            done.classes,
            f"{100 * done.accuracy:.2f}",
            f"{100 * done.joint:.2f}",
            "yes" if done.identical else "**no**",
            *(f"{100 * accuracy:.2f}" for accuracy in done.rivals.values()),
        ]
        for done in results
    ]
    return table(["classes", "faast, task by task", "faast, jointly", "same floats", *RIVALS], rows)


def figures(results: dict[str, list[TaskResult]]) -> dict[str, float]:
    """Return what docs/claims.md states an interval for."""
    every = [done for found in results.values() for done in found]
    found = {"same_floats": float(all(done.identical for done in every))}
    if "cifar10" in results:
        last = results["cifar10"][-1]
        found["cifar10"] = 100 * last.accuracy
        found["cifar10_block_average"] = 100 * last.rivals["block average (paper)"]
    return found


def orders(dataset: Dataset) -> list[str]:
    train = dataset.train, dataset.train_labels
    first = learn_stream(train, "given", batch=len(train[0])).predict_proba(dataset.test)
    rows = []
    for order in ORDERS:
        print(f"{dataset.name}: {order}", file=sys.stderr)
        now = learn_stream(train, order, batch=max(1, len(train[0]) // 7)).predict_proba(
            dataset.test
        )
        rows.append([order, f"{np.abs(now - first).max():.3g}"])
    return table(["order", "largest difference of a probability"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two sets, 5,000 rows of each at most")
    parser.add_argument("--sets", nargs="+", metavar="NAME")
    options = parser.parse_args()
    one_thread()
    sets, absent = load(tuple(options.sets or (QUICK_SETS if options.quick else SETS)))
    lines = [
        "# Continual learning: classes in tasks, rows in any order",
        "",
        provenance(command_line("features.continual")),
        "",
        "Accuracy (%) after each task on test rows of the classes so far; classes in random order, "
        f"seed 0. The last three columns learn one-hot classes in blocks of {BLOCK} rows, the first "
        f"two of them with the fixed strength {STRENGTH:g} (the recursion has no intercept). Orders: seven batches against one "
        "call with all rows as given; 0 means that every probability is the same float.",
        "",
        *(f"- {line}" for line in absent),
        "",
    ]
    folder, results = results_folder("features", options.quick), {}
    for name, dataset in sets.items():
        used = smaller(dataset, 5_000) if options.quick else dataset
        results[name] = learn_in_tasks(used)
        shown = task_table(results[name]) + orders(used)
        lines += [f"## {name}: {len(used.train):,} rows", "", *shown]
        write_page(folder / "continual.md", lines)
    write_figures(folder, "continual", figures(results))


if __name__ == "__main__":
    main()
