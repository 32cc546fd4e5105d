"""Does a row belong to none of the learned classes: `novelty_score` beside the top probability.

Run ``make bench-long``, or ``python -m benchmarks.features.novelty [--seeds 3] [--quick]``; it writes
results/features/novelty.md and results/features/novelty.csv (--quick: below results/quick).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks._lib.datasets import CLIP, TEXT, Dataset, load
from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import (
    command_line,
    plus_minus,
    provenance,
    stratified,
    table,
    verdict,
    write_csv,
    write_page,
)
from faast import FaastClassifier
from faast.evaluation.measure import one_thread

UNSEEN_SHARE = 0.3
"""Of the classes, held out."""

CLASSES = "unseen classes"
DOMAIN = "another domain"
OTHERS = {
    "caltech101": "oxford_flowers",
    "oxford_flowers": "oxford_pets",
    "oxford_pets": "caltech101",
    "banking77": "imdb",
    "trec": "banking77",
    "sst2": "trec",
    "imdb": "sst2",
}
"""The set that plays the other domain: rows of the same encoder."""


@dataclass(frozen=True)
class Row:
    """One measurement: areas under the ROC curve of telling new rows from others."""

    set: str
    kind: str
    shots: str
    seed: int
    novelty_score: float
    top_probability: float


def measure(learned: tuple, known: np.ndarray, novel: np.ndarray) -> tuple[float, float]:
    model = FaastClassifier(novelty=True).fit(*learned)
    rows = np.concatenate([known, novel])
    truth = np.repeat([0, 1], [len(known), len(novel)])
    scores = model.novelty_score(rows), -model.predict_proba(rows).max(axis=1)
    return tuple(float(roc_auc_score(truth, score)) for score in scores)


def supports(dataset: Dataset, seed: int) -> Iterator[tuple[str, tuple]]:
    yield "16", dataset.support(16, seed)
    yield "all", (dataset.train, dataset.train_labels)


def episodes(dataset: Dataset, other: Dataset | None, seed: int) -> Iterator[Row]:
    classes = np.unique(dataset.train_labels)
    unseen = np.random.default_rng(seed).permutation(classes)[: round(UNSEEN_SHARE * len(classes))]
    novel = np.isin(dataset.test_labels, unseen)
    for shots, (rows, labels) in supports(dataset, seed):
        if len(classes) - len(unseen) > 1 and len(unseen):
            kept = ~np.isin(labels, unseen)
            found = measure((rows[kept], labels[kept]), dataset.test[~novel], dataset.test[novel])
            yield Row(dataset.name, CLASSES, shots, seed, *found)
        if other is not None and (shots == "16" or seed == 0):
            found = measure((rows, labels), dataset.test, other.test)
            yield Row(dataset.name, DOMAIN, shots, seed, *found)


def write_report(rows: list[Row], absent: list[str], command: str, folder: Path) -> None:
    body, gaps = [], []
    for key in dict.fromkeys((row.set, row.kind, row.shots) for row in rows):
        found = [row for row in rows if (row.set, row.kind, row.shots) == key]
        ours = np.array([[row.novelty_score for row in found]])
        top = np.array([[row.top_probability for row in found]])
        gaps.append(float((ours - top).mean()))
        lead = plus_minus(*stratified(ours - top), 3, True)
        body.append([*key, f"{ours.mean():.3f}", f"{top.mean():.3f}", lead])
    worst = int(np.argmin(gaps))
    told = [
        ["Mean AUROC above that of the top probability", f"{np.mean(gaps):+.3f}", verdict(np.mean(gaps) > 0)],
        ["Lower by more than 0.01 on no set", f"worst: {gaps[worst]:+.3f} ({', '.join(body[worst][:3])})", verdict(gaps[worst] >= -0.01)],
    ]  # fmt: skip
    lines = [
        "# Novelty: rows of no learned class",
        "",
        provenance(command),
        f"Area under the ROC curve of telling new rows from rows of learned classes: `novelty_score` beside "
        f"one minus the largest probability of the same model. {CLASSES.capitalize()}: {UNSEEN_SHARE:.0%} of "
        f"the classes are held out; {DOMAIN}: all classes are learned, new rows are another set's test rows "
        "through the same encoder. ± is half a 95% interval over draws.",
        *absent,
        "",
        "## Targets",
        "",
        *table(["target", "measured", ""], told),
        "## Each set",
        "",
        *table(["set", "new are", "shots", "novelty_score", "top probability", "difference"], body),
    ]
    write_page(folder / "novelty.md", lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--seeds", type=int, default=3, help="draws of support and held-out classes"
    )
    parser.add_argument("--quick", action="store_true", help="one draw")
    asked = parser.parse_args()
    one_thread()
    sets, absent = load((*CLIP, *TEXT, "cifar10"))
    rows = []
    for seed in range(1 if asked.quick else asked.seeds):
        for name, dataset in sets.items():
            print(f"{name}: draw {seed + 1}", file=sys.stderr)
            rows += episodes(dataset, sets.get(OTHERS.get(name, "")), seed)
    folder = results_folder("features", asked.quick)
    write_csv(
        folder / "novelty.csv", Row.__dataclass_fields__, (vars(row).values() for row in rows)
    )
    command = command_line("features.novelty")
    write_report(rows, absent, command, folder)


if __name__ == "__main__":
    main()
