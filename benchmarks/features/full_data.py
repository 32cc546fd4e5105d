"""Accuracy on all rows of a set: default arguments beside every peer, on the same frozen features.

Run ``make bench``, or ``python -m benchmarks.features.full_data [--seeds 5] [--quick]
[--sets digits trec ...]``; it writes results/features/full_data.md, results/features/full_data.csv and
results/features/full_data_time.png (--quick: below results/quick).
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from benchmarks._lib.datasets import SCIKIT, TEXT, Dataset, load, scikit
from benchmarks._lib.oracle import best_strength
from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import command_line, write_csv
from benchmarks.features.full_data_cases import (
    METHODS,
    NATURAL,
    PROJECTION,
    SVM_ROWS,
    Case,
    Measured,
    Result,
)
from benchmarks.features.full_data_report import (
    MANY_ROWS,
    ORACLE_SECONDS,
    write_plot,
    write_report,
)
from faast import NaturalGradientClassifier
from faast.evaluation.baselines import LinearProjection
from faast.evaluation.measure import (
    OURS,
    SLOW_SECONDS,
    Measurement,
    build,
    measure,
    one_thread,
    takes_prior,
    warm_up,
)

SETS = ("cifar10", *TEXT, *SCIKIT)
REPEATS = 3
PROJECTION_EPOCHS = 20
FEWER_EPOCHS = (1, 2, 5, 10)


def options(method: str, rows: int) -> dict[str, Any]:
    """Full-data settings of peers; the note of the report says the same."""
    if method == PROJECTION:
        return {"patience": None, "epochs": PROJECTION_EPOCHS}
    if method == "random-relu-ridge" and rows > MANY_ROWS:
        return {"n_random": 2_000}
    if method == "kernel-svm" and rows > MANY_ROWS:
        return {"candidates": (1.0, 10.0)}
    return {}


def cases(sets: dict[str, Dataset], seeds: int) -> Iterator[Case]:
    for name, dataset in sets.items():
        splits = [scikit(name, seed) for seed in range(seeds)] if name in SCIKIT else [dataset]
        yield Case(name, [replace(split, class_embeddings=None) for split in splits], False)
        if dataset.class_embeddings is not None:
            yield Case(f"{name} with prior", splits, True)


def maker(method: str, split: Dataset):
    embeddings = split.class_embeddings
    if method == NATURAL:
        return lambda: NaturalGradientClassifier(class_embeddings=embeddings)
    return lambda: build(method, embeddings, **options(method, len(split.train)))


def run(case: Case, plain: dict[str, Result], repeats: int) -> dict[str, Result]:
    """Measure every method; those that are fast again, in turns.

    `plain` are the results of the same set without its prior, where it has one. They are those of
    methods that take none.
    """
    done: dict[str, list[Measurement]] = {}
    seconds: dict[str, list[list[float]]] = {}
    kept = {method: plain[method] for method in plain if not uses_prior(method)}
    asked = [OURS, NATURAL, *case.methods()[1:]]
    for turn in range(repeats):
        for method in asked:
            once = case.rows > SVM_ROWS and method not in (OURS, NATURAL)
            if method in kept or (turn and (once or max(map(sum, seconds[method])) > SLOW_SECONDS)):
                continue
            print(f"{case.title}: {method} {turn + 1}/{repeats}", file=sys.stderr)
            for index, split in enumerate(case.splits):
                support, test = (split.train, split.train_labels), (split.test, split.test_labels)
                now = measure(maker(method, split), support, test)
                if not turn:
                    done.setdefault(method, []).append(now)
                    seconds.setdefault(method, []).append([])
                seconds[method][index].append(now.seconds)
    measured = {
        method: Result(
            hits=np.concatenate([one.hits for one in found]),
            ece=100 * float(np.mean([one.ece for one in found])),
            seconds=float(np.mean([median(times) for times in seconds[method]])),
            bytes=found[0].bytes,
            state_bytes=found[0].state_bytes,
            n_random_features=found[0].n_random_features,
        )
        for method, found in done.items()
    }
    measured |= kept
    return {method: measured[method] for method in asked}


def uses_prior(method: str) -> bool:
    return method == NATURAL or takes_prior(method)


def until_ours(case: Case, results: dict[str, Result]) -> tuple[int, float] | None:
    """Train projections of more and more epochs until one is as accurate as ours.

    Each has a schedule of its own length; the seconds are of the first that is good enough alone.
    The one of most epochs is among the results.
    """
    split, accuracy, longest = case.splits[0], results[OURS].accuracy, results[PROJECTION]
    for epochs in FEWER_EPOCHS:
        found = measure(
            lambda epochs=epochs: LinearProjection(
                split.class_embeddings, epochs=epochs, patience=None
            ),
            (split.train, split.train_labels),
            (split.test, split.test_labels),
        )
        if 100 * found.accuracy >= accuracy:
            return epochs, found.seconds
    return (PROJECTION_EPOCHS, longest.seconds) if longest.accuracy >= accuracy else None


def regret(case: Case, result: Result) -> float:
    """Points that the best strength on test rows gains; NaN where trying all takes long."""
    if result.seconds > ORACLE_SECONDS:
        return np.nan
    best = [
        best_strength(
            maker(OURS, split), (split.train, split.train_labels), (split.test, split.test_labels)
        )
        for split in case.splits
    ]
    return 100 * float(np.concatenate(best).mean()) - result.accuracy


HEADER = ("set", "rows", "method", "accuracy", "lead", "lead_half_interval", "ece", "seconds", "bytes", "state_bytes")  # fmt: skip


def csv_rows(cases: list[Measured]) -> Iterator[list[object]]:
    for m in cases:
        for method, r in m.results.items():
            yield [m.case.title, m.case.rows, method, r.accuracy, *m.lead(method), r.ece, r.seconds, r.bytes, r.state_bytes]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="splits of the small sets")
    parser.add_argument("--quick", action="store_true", help="small sets, one split, one repeat")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    asked = parser.parse_args()
    if asked.quick:
        asked.seeds, asked.sets = 1, SCIKIT
    repeats = 1 if asked.quick else REPEATS
    warnings.simplefilter("ignore")  # peers that stop at their own bound of iterations
    one_thread()
    sets, absent = load(tuple(asked.sets))
    warm_up(METHODS)
    measured: list[Measured] = []
    for case in cases(sets, asked.seeds):
        results = run(case, measured[-1].results if case.prior else {}, repeats)
        print(f"{case.title}: trained projection, best strength", file=sys.stderr)
        reached = until_ours(case, results)
        measured.append(Measured(case, results, reached, regret(case, results[OURS])))
    folder = results_folder("features", asked.quick)
    command = command_line("features.full_data")
    write_csv(folder / "full_data.csv", HEADER, csv_rows(measured))
    write_plot(measured, folder)
    write_report(measured, absent, command, repeats, folder)


if __name__ == "__main__":
    main()
