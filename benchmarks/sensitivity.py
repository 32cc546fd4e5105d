"""What the paper's exponent decides, beside ours, which has none to set.

Run ``make bench``, or ``python benchmarks/sensitivity.py [--quick]``; it writes
results/sensitivity.md (--quick: results/quick/sensitivity.md).
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

from data import CLIP, TEXT, load
from faast.evaluation.sensitivity import ALPHAS, sweep_alpha
from report import one_thread, pages, provenance, table, write_page

SHOTS = (1, 4, 16)


def rows_of(dataset, shots: int, seeds: int) -> list[str]:
    supports = [dataset.support(shots, seed) for seed in range(seeds)]
    sweeps = list(sweep_alpha(supports, (dataset.test, dataset.test_labels)))
    means = {alpha: np.mean([sweep.alphas[alpha] for sweep in sweeps]) for alpha in ALPHAS}
    best = max(means, key=means.get)
    return [
        dataset.name,
        str(shots),
        *(f"{100 * mean:.1f}" for mean in means.values()),
        f"{best:g}",
        f"{100 * np.mean([sweep.spread for sweep in sweeps]):.1f}",
        f"{100 * np.mean([sweep.ours for sweep in sweeps]):.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one draw, two sets")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    one_thread()
    seeds = 1 if options.quick else options.seeds
    sets, absent = load(("digits", "banking77") if options.quick else (*CLIP, *TEXT, "digits"))
    rows = []
    for dataset in sets.values():
        for shots in SHOTS:
            print(f"{dataset.name}: {shots} shots", file=sys.stderr)
            rows.append(rows_of(dataset, shots, seeds))
    lines = [
        "# Sensitivity: the spectral exponent of the paper beside automatic strength",
        "",
        provenance(" ".join(["python benchmarks/sensitivity.py", *sys.argv[1:]])),
        "",
        f"Accuracy (%) without prior, mean of {seeds} draws, on test rows; the best exponent is "
        "chosen with the test rows, which nobody can do beforehand. Spread: best minus worst.",
        "",
        *(f"- {line}" for line in absent),
        "",
        *table(
            ["set", "shots", *(f"α = {a:g}" for a in ALPHAS), "best α", "spread", "faast"], rows
        ),
    ]
    write_page(pages(options.quick) / "sensitivity.md", lines)


if __name__ == "__main__":
    main()
