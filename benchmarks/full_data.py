"""Accuracy on all rows of a set: default arguments beside every peer, on the same frozen features.

Run ``make bench``, or ``python benchmarks/full_data.py [--seeds 5] [--quick] [--reuse]
[--sets digits trec ...]``; it writes results/full_data.md, results/full_data.csv and
results/full_data_time.png.
"""

from __future__ import annotations

import argparse
import csv
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

import faast
from data import SCIKIT, TEXT, Dataset, load, scikit
from faast import FaastClassifier
from faast.baselines import BASELINES, LinearProjection
from measure import OURS, Archive, Measurement, build, measure, takes_prior, warm_up
from oracle import best_strength
from plots import accuracy_against
from report import RESULTS, one_thread, over_rows, plus_minus, provenance, size, table, verdict

PROJECTION = "linear-projection"
NATURAL = "faast-natural"
METHODS = [OURS, *BASELINES]
SETS = ("cifar10", *TEXT, *SCIKIT)

SVM_ROWS = 12_000
"""Above, the kernel SVM is left out."""

MANY_ROWS = 2_000
"""Above, peers whose cost grows fast are given less to do; see `options`."""

SLOW = 20.0
"""Seconds above which a method is measured once."""

REPEATS = 3
PROJECTION_EPOCHS = (1, 2, 5, 10, 20)


@dataclass(frozen=True)
class Case:
    """A set with or without its prior; `splits` hold the rows, more than one for small sets."""

    title: str
    splits: list[Dataset]
    prior: bool

    @property
    def rows(self) -> int:
        return len(self.splits[0].train)

    def methods(self) -> list[str]:
        kept = [m for m in METHODS if self.prior or m != "zero-shot"]
        return [m for m in kept if m != "kernel-svm" or self.rows <= SVM_ROWS]


@dataclass(frozen=True)
class Result:
    """What one method did on all splits of a case; hits and ECE of the splits in a row."""

    hits: np.ndarray
    ece: float
    seconds: float
    bytes: int
    state_bytes: int

    @property
    def accuracy(self) -> float:
        return 100 * float(self.hits.mean())


# -- measuring ---------------------------------------------------------------------------------


def options(method: str, rows: int) -> dict[str, Any]:
    """Full-data settings of peers; the note of the report says the same."""
    if method == PROJECTION:
        return {"patience": None}
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
        return lambda: FaastClassifier(solver=faast.Natural(), class_embeddings=embeddings)
    return lambda: build(method, embeddings, **options(method, len(split.train)))


def run(case: Case, archive: Archive, repeats: int) -> dict[str, Result]:
    """Measure every method; those that are fast again, in turns."""
    done: dict[str, list[Measurement]] = {}
    seconds: dict[str, list[list[float]]] = {}
    natural = [NATURAL] if hasattr(faast, "Natural") else []
    for turn in range(repeats):
        for method in [OURS, *natural, *case.methods()[1:]]:
            if turn and max(map(sum, seconds[method])) > SLOW:
                continue
            print(f"{case.title}: {method} {turn + 1}/{repeats}", file=sys.stderr)
            for index, split in enumerate(case.splits):
                now = measure_once(method, split, case, index, turn, archive)
                if not turn:
                    done.setdefault(method, []).append(now)
                    seconds.setdefault(method, []).append([])
                seconds[method][index].append(now.seconds)
    return {
        method: Result(
            hits=np.concatenate([one.hits for one in found]),
            ece=100 * float(np.mean([one.ece for one in found])),
            seconds=float(np.mean([median(times) for times in seconds[method]])),
            bytes=found[0].bytes,
            state_bytes=found[0].state_bytes,
        )
        for method, found in done.items()
    }


def measure_once(
    method: str, split: Dataset, case: Case, index: int, turn: int, archive: Archive
) -> Measurement:
    support, test = (split.train, split.train_labels), (split.test, split.test_labels)
    make = maker(method, split)
    if method in (OURS, NATURAL):
        return measure(make, support, test)
    prior = case.prior and takes_prior(method)
    key = f"full-{split.name}-{index}-{turn}-{method}-{'prior' if prior else 'plain'}"
    if case.prior and not prior:  # just measured, in the case without
        return Archive(reuse=True).measure(key, make, support, test)
    return archive.measure(key, make, support, test)


def until_ours(case: Case, accuracy: float) -> tuple[int, float] | None:
    """Train projections of more and more epochs until one is as accurate as ours.

    Each has a schedule of its own length; the seconds are of the first that is good enough alone.
    """
    split = case.splits[0]
    for epochs in PROJECTION_EPOCHS:
        found = measure(
            lambda epochs=epochs: LinearProjection(
                split.class_embeddings, epochs=epochs, patience=None
            ),
            (split.train, split.train_labels),
            (split.test, split.test_labels),
        )
        if 100 * found.accuracy >= accuracy:
            return epochs, found.seconds
    return None


def regret(case: Case, result: Result) -> float:
    """Points that the best strength on test rows gains."""
    best = [
        best_strength(
            maker(OURS, split), (split.train, split.train_labels), (split.test, split.test_labels)
        )
        for split in case.splits
    ]
    return 100 * float(np.concatenate(best).mean()) - result.accuracy


# -- the report --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    case: Case
    results: dict[str, Result]
    reached: tuple[int, float] | None
    regret: float

    @property
    def ours(self) -> Result:
        return self.results[OURS]

    @property
    def peers(self) -> dict[str, Result]:
        return {m: r for m, r in self.results.items() if m not in (OURS, NATURAL)}

    def lead(self, peer: str) -> tuple[float, float]:
        """Ours minus a peer on the same test rows, in points, and half its 95% interval."""
        return over_rows(100.0 * self.ours.hits - 100.0 * self.results[peer].hits)

    @property
    def best_peer(self) -> str:
        return max(self.peers, key=lambda method: self.peers[method].accuracy)

    @property
    def saved(self) -> float:
        return 100 * (1 - self.ours.seconds / self.results[PROJECTION].seconds)


def case_section(measured: Measured) -> list[str]:
    case, ours = measured.case, measured.ours
    split = case.splits[0]
    shape = f"{case.rows:,} rows learned, {len(split.test):,} asked, {split.train.shape[1]} features, {len(np.unique(split.train_labels))} classes"  # fmt: skip
    if len(case.splits) > 1:
        shape += f"; {len(case.splits)} random splits"
    rows = []
    for method, result in measured.results.items():
        lead = "" if method == OURS else plus_minus(*measured.lead(method), 2, True)
        rows.append([
            f"**{method}**" if method == OURS else method,
            f"{result.accuracy:.2f}",
            lead,
            "" if np.isnan(result.ece) else f"{result.ece:.2f}",
            f"{result.seconds:.3g}{'*' * (result.seconds > SLOW)}",
            f"{result.seconds / ours.seconds:.3g}",
            size(result.bytes),
        ])  # fmt: skip
    header = ["", "accuracy (%)", "ours minus it", "ECE (%)", "seconds", "times ours", "bytes"]
    reached = "no projection of up to 20 epochs is as accurate"
    if measured.reached:
        reached = "one of {} epochs is the first as accurate, in {:.3g} s".format(*measured.reached)
        reached += f" ({measured.reached[1] / ours.seconds:.3g} times ours)"
    return [
        f"## {case.title}",
        "",
        f"{shape}. Ours with all that learning on and forgetting need: {size(ours.state_bytes)}. The "
        f"best strength on test gains {measured.regret:.2f} points. Time saved against the trained "
        f"projection: {measured.saved:.1f}%; {reached}.",
        "",
        *table(header, rows),
    ]


def overview(cases: list[Measured]) -> list[str]:
    header = ["", "rows", "ours (%)", "best peer", "(%)", "ours minus it", "our ECE", "best ECE of a peer", "our seconds", "time saved"]  # fmt: skip
    rows = []
    for m in cases:
        best, calibrated = m.best_peer, best_calibrated(m)
        rows.append([
            m.case.title, f"{m.case.rows:,}", f"{m.ours.accuracy:.2f}", best,
            f"{m.results[best].accuracy:.2f}", plus_minus(*m.lead(best), 2, True), f"{m.ours.ece:.2f}",
            f"{m.results[calibrated].ece:.2f} ({calibrated})", f"{m.ours.seconds:.3g}", f"{m.saved:.1f}%",
        ])  # fmt: skip
    return ["## Overview", "", *table(header, rows)]


def best_calibrated(measured: Measured) -> str:
    told = {m: r.ece for m, r in measured.peers.items() if not np.isnan(r.ece)}
    return min(told, key=told.__getitem__)


def targets(cases: list[Measured]) -> list[str]:
    rows = [row for m in cases if m.case.title == "cifar10" for row in cifar_targets(m)]
    leads = {m.case.title: (m.best_peer, *m.lead(m.best_peer)) for m in cases}
    worst = min(leads, key=lambda title: leads[title][1])
    told = f"{sum(lead[1] >= -0.3 for lead in leads.values())} of {len(leads)}; worst: {worst} {plus_minus(*leads[worst][1:], 2, True)} ({leads[worst][0]})"  # fmt: skip
    rows.append(["At most 0.3 below the best peer on any set", told, verdict(leads[worst][1] >= -0.3)])  # fmt: skip
    rows += calibration_targets(cases)
    large = {m.case.title: m for m in cases if m.case.rows >= 1000}
    failed = [
        f"{title} ({m.saved:.1f}% saved, {m.lead(PROJECTION)[0]:+.2f})"
        for title, m in large.items()
        if m.saved < 90 or m.lead(PROJECTION)[0] < 0
    ]
    told = f"{len(large) - len(failed)} of {len(large)}" + (f"; not: {'; '.join(failed)}" if failed else "")  # fmt: skip
    rows.append(["90% of the trained projection's time saved at equal or better accuracy, sets of 1,000 rows or more", told, verdict(not failed)])  # fmt: skip
    mean = float(np.mean([m.regret for m in cases]))
    rows.append(["Within 0.5 of the strength that is best on test, in the mean", f"{mean:.2f}", verdict(mean <= 0.5)])  # fmt: skip
    return ["## Targets", "", *table(["target", "measured", ""], rows)]


def cifar_targets(measured: Measured) -> Iterator[list[str]]:
    logistic = measured.results["logistic"]
    for method, goal, floor, share in (
        (OURS, "default arguments at logistic regression's accuracy in 1/5 of its time", logistic.accuracy, 5),
        (NATURAL, "`Natural` at 77.0 in 1/20 of logistic regression's time", 77.0, 20),
    ):  # fmt: skip
        found = measured.results.get(method)
        told, met = "`Natural` is not there yet", None
        if found:
            told = f"{found.accuracy:.2f} against {floor:.2f}, 1/{logistic.seconds / found.seconds:.0f} of its time"
            met = found.accuracy >= floor and found.seconds * share <= logistic.seconds
        yield [f"CIFAR-10: {goal}", told, verdict(met)]


def calibration_targets(cases: list[Measured]) -> Iterator[list[str]]:
    ours = float(np.mean([m.ours.ece for m in cases]))
    everywhere = [
        m for m in METHODS[1:] if all(m in c.results and not np.isnan(c.results[m].ece) for c in cases)
    ]  # fmt: skip
    means = {m: float(np.mean([c.results[m].ece for c in cases])) for m in everywhere}
    best = min(means, key=means.__getitem__)
    yield ["Mean ECE within 0.3 of the best calibrated peer", f"{ours:.2f} against {means[best]:.2f} ({best})", verdict(ours <= means[best] + 0.3)]  # fmt: skip
    above = [f"{m.case.title} {m.ours.ece:.2f}" for m in cases if m.ours.ece > 3]
    yield ["ECE at most 3% on each set", "; ".join(above) or f"at most {max(m.ours.ece for m in cases):.2f}", verdict(not above)]  # fmt: skip


def write_report(
    cases: list[Measured], absent: list[str], command: str, archive: Archive, repeats: int
) -> None:
    lines = [
        "# All rows: default arguments beside every peer on the same frozen features",
        "",
        provenance(command),
        "`faast` is `FaastClassifier()` with default arguments and, where there is a prior, "
        "`class_embeddings`; peers are those of `faast.baselines`, tuned on the learned rows only. "
        f"Peers given less to do on more than {MANY_ROWS:,} rows: random-relu-ridge 2,000 random features "
        f"(else 10,000), kernel-svm C of 1 and 10 (else five values; left out above {SVM_ROWS:,} rows). "
        "linear-projection trains 20 epochs on all rows. Methods that take no prior stand without it "
        f"in the tables with one. Seconds: processor time of one thread, median of {repeats} runs in turns; "
        f"those above {SLOW:.0f} s are marked * and run once. ± is half a 95% interval, paired over test rows. "
        "Novelty is not measured here.",
        *([f"{archive.reused} measurements of peers are taken from an earlier run (`--reuse`)."] if archive.reused else []),
        *absent,
        "",
        *targets(cases),
        *overview(cases),
        "![Accuracy against adaptation time](full_data_time.png)",
        "",
    ]  # fmt: skip
    for measured in cases:
        lines += case_section(measured)
    (RESULTS / "full_data.md").write_text("\n".join(lines))


def write_csv(cases: list[Measured]) -> None:
    with (RESULTS / "full_data.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["set", "rows", "method", "accuracy", "lead", "lead_half_interval", "ece", "seconds", "bytes", "state_bytes"])  # fmt: skip
        for m in cases:
            for method, r in m.results.items():
                numbers = [r.accuracy, *m.lead(method), r.ece, r.seconds]
                writer.writerow([m.case.title, m.case.rows, method, *(f"{n:.6g}" for n in numbers), r.bytes, r.state_bytes])  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="splits of the small sets")
    parser.add_argument("--quick", action="store_true", help="small sets, one split, one repeat")
    parser.add_argument(
        "--reuse", action="store_true", help="measure only ours, take peers from earlier runs"
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    asked = parser.parse_args()
    if asked.quick:
        asked.seeds, asked.sets = 1, SCIKIT
    repeats = 1 if asked.quick else REPEATS
    warnings.simplefilter("ignore")  # peers that stop at their own bound of iterations
    one_thread()
    archive = Archive(asked.reuse)
    sets, absent = load(tuple(asked.sets))
    warm_up(METHODS)
    measured = []
    for case in cases(sets, asked.seeds):
        results = run(case, archive, repeats)
        print(f"{case.title}: trained projection, best strength", file=sys.stderr)
        reached = until_ours(case, results[OURS].accuracy)
        measured.append(Measured(case, results, reached, regret(case, results[OURS])))
    RESULTS.mkdir(exist_ok=True)
    command = " ".join(["python benchmarks/full_data.py", *sys.argv[1:]])
    write_csv(measured)
    panels = {
        m.case.title: {method: [(r.seconds, r.accuracy)] for method, r in m.results.items()}
        for m in measured
    }
    accuracy_against("adaptation (seconds)", panels, RESULTS / "full_data_time.png", ours=OURS)
    write_report(measured, absent, command, archive, repeats)


if __name__ == "__main__":
    main()
