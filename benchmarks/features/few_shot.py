"""Accuracy from 1 to 16 shots: default arguments beside every peer, on the same frozen features.

Run ``make bench``, or ``python -m benchmarks.features.few_shot [--seeds 3] [--quick]``; it writes
results/features/few_shot.md, results/features/few_shot.csv, results/features/few_shot_accuracy.png, results/features/few_shot_time.png
(--quick: below results/quick).
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator

import numpy as np

from benchmarks._lib.datasets import CLIP, CLIP_NAMED, SHOTS, TEXT, Dataset, load
from benchmarks._lib.limits import least_seconds
from benchmarks._lib.oracle import best_strength
from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import command_line, write_csv, write_figures
from benchmarks.features.few_shot_groups import GROUPS, METHODS, Measured, Row
from benchmarks.features.few_shot_report import figures, write_plots, write_report
from faast.evaluation.measure import OURS, build, measure, one_thread, takes_prior, warm_up


def variants(name: str) -> Iterator[tuple[str, bool]]:
    """List (method, whether it is given the prior) that some group asks for."""
    asked = {
        (method, group.prior and takes_prior(method))
        for group in GROUPS
        for method in group.methods()
        if name in group.sets
    }
    yield from sorted(asked, key=lambda pair: (METHODS.index(pair[0]), pair[1]))


def episode(dataset: Dataset, shots: int, seed: int) -> Iterator[Row]:
    support = dataset.support(shots, seed)
    test = dataset.test, dataset.test_labels
    for method, prior in variants(dataset.name):
        embeddings = dataset.class_embeddings if prior else None

        def make(method=method, embeddings=embeddings):
            return build(method, embeddings)

        done = measure(make, support, test)
        best, least = np.nan, np.nan
        if method == OURS:
            best = 100 * best_strength(make, support, test).mean()
            least = least_seconds(
                *support[0].shape, len(np.unique(support[1])), done.n_random_features
            )
        yield Row(
            dataset.name, prior, shots, seed, method, 100 * done.accuracy, 100 * done.ece,
            done.seconds, done.bytes, done.state_bytes, best, least,
        )  # fmt: skip


def collect(sets: dict[str, Dataset], seeds: int, shots: tuple) -> list[Row]:
    rows: list[Row] = []
    for seed in range(seeds):
        for dataset in sets.values():
            for count in shots:
                print(f"{dataset.name}: {count} shots, draw {seed + 1}/{seeds}", file=sys.stderr)
                rows += episode(dataset, count, seed)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="draws of the support")
    parser.add_argument("--quick", action="store_true", help="1 and 4 shots, one draw")
    options = parser.parse_args()
    seeds, shots = (1, (1, 4)) if options.quick else (options.seeds, SHOTS)
    warnings.simplefilter("ignore")  # peers that stop at their own bound of iterations
    one_thread()
    sets, absent = load((*CLIP, *CLIP_NAMED, *TEXT))
    warm_up(METHODS)
    rows = collect(sets, seeds, shots)
    groups = [Measured(group, [row for row in rows if group.holds(row)]) for group in GROUPS]
    groups = [measured for measured in groups if measured.rows]
    folder = results_folder("features", options.quick)
    command = command_line("features.few_shot")
    write_csv(
        folder / "few_shot.csv", Row.__dataclass_fields__, (vars(row).values() for row in rows)
    )
    write_plots(groups, folder)
    write_report(groups, absent, command, folder)
    write_figures(folder, "few_shot", figures(groups))


if __name__ == "__main__":
    main()
