"""Accuracy from 1 to 16 shots: default arguments beside every peer, on the same frozen features.

Run ``make bench``, or ``python benchmarks/few_shot.py [--seeds 3] [--quick] [--reuse]``; it writes
results/few_shot.md, results/few_shot.csv, results/few_shot_accuracy.png, results/few_shot_time.png.
"""

from __future__ import annotations

import argparse
import csv
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from data import CLIP, CLIP_NAMED, SHOTS, TEXT, Dataset, load
from faast.baselines import BASELINES
from measure import OURS, Archive, build, measure, takes_prior, warm_up
from oracle import best_strength
from plots import accuracy_against
from report import RESULTS, one_thread, plus_minus, provenance, size, stratified, table, verdict

PROJECTION = "linear-projection"
METHODS = [OURS, *BASELINES]


@dataclass(frozen=True)
class Group:
    """Sets that are averaged, with or without what the frozen model says of the classes."""

    title: str
    sets: tuple[str, ...]
    prior: bool

    def methods(self) -> list[str]:
        return [m for m in METHODS if self.prior or m != "zero-shot"]

    def holds(self, row: Row) -> bool:
        return row.set in self.sets and row.prior == (self.prior and takes_prior(row.method))


@dataclass(frozen=True)
class Row:
    """One measurement, as the csv has it; in percent. `best` is the accuracy of the best strength."""

    set: str
    prior: bool
    shots: int
    seed: int
    method: str
    accuracy: float
    ece: float
    seconds: float
    bytes: int
    state_bytes: int
    best: float


GROUPS = [
    Group("CLIP features, no prior", CLIP, False),
    Group("With label-name prior", (*TEXT, *CLIP_NAMED), True),
    Group("Text, no prior", TEXT, False),  # no target of its own
]


# -- measuring ---------------------------------------------------------------------------------


def variants(name: str) -> Iterator[tuple[str, bool]]:
    """List (method, whether it is given the prior) that some group asks for."""
    asked = {
        (method, group.prior and takes_prior(method))
        for group in GROUPS
        for method in group.methods()
        if name in group.sets
    }
    yield from sorted(asked, key=lambda pair: (METHODS.index(pair[0]), pair[1]))


def episode(dataset: Dataset, shots: int, seed: int, archive: Archive) -> Iterator[Row]:
    support = dataset.support(shots, seed)
    test = dataset.test, dataset.test_labels
    for method, prior in variants(dataset.name):
        embeddings = dataset.class_embeddings if prior else None

        def make(method=method, embeddings=embeddings):
            return build(method, embeddings)

        if method == OURS:
            done = measure(make, support, test)
            best = 100 * best_strength(make, support, test).mean()
        else:
            key = f"{dataset.name}-{shots}-{seed}-{method}-{'prior' if prior else 'plain'}"
            done = archive.measure(key, make, support, test)
            best = np.nan
        yield Row(
            dataset.name, prior, shots, seed, method, 100 * done.accuracy, 100 * done.ece,
            done.seconds, done.bytes, done.state_bytes, best,
        )  # fmt: skip


def collect(sets: dict[str, Dataset], seeds: int, shots: tuple, archive: Archive) -> list[Row]:
    rows: list[Row] = []
    for seed in range(seeds):
        for dataset in sets.values():
            for count in shots:
                print(f"{dataset.name}: {count} shots, draw {seed + 1}/{seeds}", file=sys.stderr)
                rows += episode(dataset, count, seed, archive)
    return rows


# -- numbers of a group ------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """A group's rows; `values` is an array of shape (sets, draws)."""

    group: Group
    rows: list[Row]

    @property
    def sets(self) -> list[str]:
        return [name for name in self.group.sets if any(row.set == name for row in self.rows)]

    @property
    def shots(self) -> list[int]:
        return sorted({row.shots for row in self.rows})

    @property
    def peers(self) -> list[str]:
        return [method for method in self.group.methods() if method != OURS]

    def values(self, method: str, shots: int, what: str = "accuracy", sets=None) -> np.ndarray:
        return np.array(
            [
                [
                    getattr(row, what)
                    for row in sorted(self.rows, key=lambda row: row.seed)
                    if (row.set, row.method, row.shots) == (name, method, shots)
                ]
                for name in (sets or self.sets)
            ]
        )

    def lead(self, peer: str, shots: int) -> np.ndarray:
        return self.values(OURS, shots) - self.values(peer, shots)

    def best_peer(self, shots: int) -> tuple[str, float, float]:
        peer = max(self.peers, key=lambda method: self.values(method, shots).mean())
        return peer, *stratified(self.lead(peer, shots))

    def regret(self, shots: int) -> float:
        return float((self.values(OURS, shots, "best") - self.values(OURS, shots)).mean())


# -- the report --------------------------------------------------------------------------------


def bold(method: str) -> str:
    return f"**{method}**" if method == OURS else method


def group_section(measured: Measured) -> list[str]:
    shots = measured.shots
    header = ["", *(f"{count} shots" if count > 1 else "1 shot" for count in shots)]
    methods = measured.group.methods()

    def rows(what, scale=1.0, form=lambda values: f"{values.mean():.1f}"):
        for method in methods:
            cells = [measured.values(method, count, what) * scale for count in shots]
            if not np.isnan(cells[0]).any():
                yield [bold(method), *map(form, cells)]

    lines = [
        f"## {measured.group.title}",
        "",
        f"Sets: {', '.join(measured.sets)}. Accuracy (%), mean over sets.",
        "",
        *table(header, rows("accuracy", form=lambda values: plus_minus(*stratified(values)))),
        "Ours minus each, same supports (points; an interval without 0 is a difference):",
        "",
    ]
    lines += table(
        header,
        [
            [peer, *(plus_minus(*stratified(measured.lead(peer, n)), 2, True) for n in shots)]
            for peer in measured.peers
        ],
    )
    lines += ["Expected calibration error (%, 15 bins) of methods with probabilities:", ""]
    lines += table(header, rows("ece"))
    lines += ["Adaptation, seconds:", ""]
    lines += table(header, rows("seconds", form=lambda values: f"{values.mean():.3g}"))
    lines += ["Held in order to predict:", ""]
    lines += table(header, rows("bytes", form=lambda values: size(values.mean())))
    state = [size(measured.values(OURS, n, "state_bytes").mean()) for n in shots]
    lines += [f"Ours with all that learning on and forgetting need: {', '.join(state)}.", ""]
    return lines


def set_sections(measured: Measured) -> list[str]:
    lines = [f"## Each set: {measured.group.title}", ""]
    for name in measured.sets:
        rows = [
            [
                bold(method),
                *(f"{measured.values(method, n, sets=[name]).mean():.1f}" for n in measured.shots),
            ]
            for method in measured.group.methods()
        ]
        lines += [f"### {name}", "", *table(["shots", *map(str, measured.shots)], rows)]
    return lines


def targets(groups: list[Measured]) -> list[str]:
    rows = []
    for measured in groups:
        title = measured.group.title
        best = {n: measured.best_peer(n) for n in measured.shots}
        told = "; ".join(
            f"{n}: {plus_minus(mean, half, 2, True)} ({peer})"
            for n, (peer, mean, half) in best.items()
        )
        met = all(mean >= 0 for _, mean, _ in best.values())
        rows.append([f"{title}: at or above every peer's mean at each count of shots", told, verdict(met)])  # fmt: skip
        if measured.group.sets == CLIP:
            gda = {n: stratified(measured.lead("gda", n)) for n in measured.shots}
            told = "; ".join(f"{n}: {plus_minus(*lead, 2, True)}" for n, lead in gda.items())
            met = all(mean >= 0.5 for mean, _ in gda.values())
            rows.append([f"{title}: 0.5 above GDA at each", told, verdict(met)])
        if measured.group.prior and 1 in measured.shots:
            rows.append(one_shot_target(measured))
    regret = [measured.regret(n) for measured in groups for n in measured.shots]
    rows.append(["Within 0.5 of the strength that is best on test, in the mean", f"{np.mean(regret):.2f}", verdict(np.mean(regret) <= 0.5)])  # fmt: skip
    rows.append(time_target(groups))
    return ["## Targets", "", *table(["target", "measured", ""], rows)]


def one_shot_target(measured: Measured) -> list[str]:
    leads = dict(zip(measured.sets, measured.lead("zero-shot", 1).mean(axis=1), strict=True))
    told = "; ".join(f"{name} {lead:+.2f}" for name, lead in leads.items())
    met = min(leads.values()) >= -0.5
    return ["1 shot at most 0.5 below zero-shot on any set", told, verdict(met)]


def time_target(groups: list[Measured]) -> list[str]:
    ours, theirs = (
        np.mean([m.values(method, n, "seconds").mean() for m in groups for n in m.shots])
        for method in (OURS, PROJECTION)
    )
    lead = np.mean([m.lead(PROJECTION, n).mean() for m in groups for n in m.shots])
    saved = 100 * (1 - ours / theirs)
    told = f"{saved:.1f}% ({ours:.3f} s against {theirs:.3f} s), accuracy {lead:+.2f}"
    goal = "Mean adaptation time 90% below the trained projection's, at equal or better accuracy"
    return [goal, told, verdict(saved >= 90 and lead >= 0)]


def regret_section(groups: list[Measured]) -> list[str]:
    header = ["", *(f"{n} shots" for n in groups[0].shots)]
    rows = [[m.group.title, *(f"{m.regret(n):.2f}" for n in m.shots)] for m in groups]
    return [
        "## Chosen against best strength",
        "",
        "Points that the strength which is best on the test rows of an episode, out of the rule's own "
        "grid, would have gained. Being the best of several on the very test rows, it is above 0 by "
        "chance alone.",
        "",
        *table(header, rows),
    ]


def write_report(groups: list[Measured], absent: list[str], command: str, archive: Archive) -> None:
    seeds = len({row.seed for row in groups[0].rows})
    lines = [
        "# Few shots: default arguments beside every peer on the same frozen features",
        "",
        provenance(command),
        f"{seeds} draws of the support a set (the first is the published one where there is one); "
        "± is half a 95% interval over draws, sets held fixed. `faast` is `FaastClassifier()` with "
        "default arguments and, where there is a prior, `class_embeddings`; peers are those of "
        "`faast.baselines` with their own published tuning, which sees the support only. Methods that "
        "take no prior stand without it in the groups with one. Seconds are processor time of one "
        "thread from rows to a model that answers.",
        *([f"{archive.reused} measurements of peers are taken from an earlier run (`--reuse`)."] if archive.reused else []),
        *absent,
        "",
        *targets(groups),
        "![Accuracy against shots](few_shot_accuracy.png)",
        "",
        "![Accuracy against adaptation time](few_shot_time.png)",
        "",
    ]  # fmt: skip
    for measured in groups:
        lines += group_section(measured)
    lines += regret_section(groups)
    for measured in groups:
        lines += set_sections(measured)
    (RESULTS / "few_shot.md").write_text("\n".join(lines))


def write_csv(rows: list[Row]) -> None:
    with (RESULTS / "few_shot.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Row.__dataclass_fields__)
        for row in rows:
            writer.writerow(
                f"{value:.6g}" if isinstance(value, float) else value
                for value in vars(row).values()
            )


def write_plots(groups: list[Measured]) -> None:
    for what, stem in (("shots", "few_shot_accuracy"), ("seconds", "few_shot_time")):
        panels = {}
        for measured in groups:
            panels[measured.group.title] = {
                method: [
                    (
                        n if what == "shots" else measured.values(method, n, "seconds").mean(),
                        measured.values(method, n).mean(),
                    )
                    for n in measured.shots
                ]
                for method in measured.group.methods()
            }
        label = "rows a class" if what == "shots" else "adaptation (seconds)"
        accuracy_against(label, panels, RESULTS / f"{stem}.png", ours=OURS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="draws of the support")
    parser.add_argument("--quick", action="store_true", help="1 and 4 shots, one draw")
    parser.add_argument(
        "--reuse", action="store_true", help="measure only ours, take peers from earlier runs"
    )
    options = parser.parse_args()
    seeds, shots = (1, (1, 4)) if options.quick else (options.seeds, SHOTS)
    warnings.simplefilter("ignore")  # peers that stop at their own bound of iterations
    one_thread()
    archive = Archive(options.reuse)
    sets, absent = load((*CLIP, *CLIP_NAMED, *TEXT))
    warm_up(METHODS)
    rows = collect(sets, seeds, shots, archive)
    groups = [Measured(group, [row for row in rows if group.holds(row)]) for group in GROUPS]
    groups = [measured for measured in groups if measured.rows]
    RESULTS.mkdir(exist_ok=True)
    command = " ".join(["python benchmarks/few_shot.py", *sys.argv[1:]])
    write_csv(rows)
    write_plots(groups)
    write_report(groups, absent, command, archive)


if __name__ == "__main__":
    main()
