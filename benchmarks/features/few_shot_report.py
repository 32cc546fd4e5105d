"""What results/features/few_shot.md says and shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks._lib.datasets import CLIP
from benchmarks._lib.limits import describe as describe_limits
from benchmarks._lib.plots import lines_against
from benchmarks._lib.report import (
    plus_minus,
    provenance,
    size,
    stratified,
    table,
    verdict,
    write_page,
)
from benchmarks.features.few_shot_groups import Measured
from faast.evaluation.measure import OURS

PROJECTION = "linear-projection"


def bold(method: str) -> str:
    return f"**{method}**" if method == OURS else method


def shots_title(shots: int) -> str:
    return f"{shots} shots" if shots > 1 else "1 shot"


def group_section(measured: Measured) -> list[str]:
    shots = measured.shots
    header = ["", *map(shots_title, shots)]
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
    least = [limit_share(measured, n) for n in shots]
    lines += [f"The least time of ours, and our share of it: {'; '.join(least)}.", ""]
    lines += ["Held in order to predict:", ""]
    lines += table(header, rows("bytes", form=lambda values: size(values.mean())))
    state = [size(measured.values(OURS, n, "state_bytes").mean()) for n in shots]
    lines += [f"Ours with all that learning on and forgetting need: {', '.join(state)}.", ""]
    return lines


def limit_share(measured: Measured, shots: int) -> str:
    least = float(measured.values(OURS, shots, "least_seconds").mean())
    share = least / float(measured.values(OURS, shots, "seconds").mean())
    return f"{1e3 * least:.2g} ms ({share:.1%})"


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


def beside_backprop(groups: list[Measured]) -> tuple[float, float, float]:
    """Return mean seconds of ours and of the trained projection, and points of accuracy between."""
    ours, theirs = (
        float(np.mean([m.values(method, n, "seconds").mean() for m in groups for n in m.shots]))
        for method in (OURS, PROJECTION)
    )
    lead = float(np.mean([m.lead(PROJECTION, n).mean() for m in groups for n in m.shots]))
    return ours, theirs, lead


def figures(groups: list[Measured]) -> dict[str, float]:
    """Return what docs/claims.md states an interval for."""
    ours, theirs, lead = beside_backprop(groups)
    regret = float(np.mean([measured.regret(n) for measured in groups for n in measured.shots]))
    return {"saved": 100 * (1 - ours / theirs), "lead": lead, "regret": regret}


def time_target(groups: list[Measured]) -> list[str]:
    ours, theirs, lead = beside_backprop(groups)
    saved = 100 * (1 - ours / theirs)
    told = f"{saved:.1f}% ({ours:.3f} s against {theirs:.3f} s), accuracy {lead:+.2f}"
    goal = "Mean adaptation time 85% below the trained projection's, at equal or better accuracy"
    return [goal, told, verdict(saved >= 85 and lead >= 0)]


def regret_section(groups: list[Measured]) -> list[str]:
    header = ["", *map(shots_title, groups[0].shots)]
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


def write_report(groups: list[Measured], absent: list[str], command: str, folder: Path) -> None:
    seeds = len({row.seed for row in groups[0].rows})
    lines = [
        "# Few shots: default arguments beside every peer on the same frozen features",
        "",
        provenance(command),
        f"{seeds} draws of the support a set (the first is the published one where there is one); "
        "± is half a 95% interval over draws, sets held fixed. `faast` is `FaastClassifier()` with "
        "default arguments and, where there is a prior, `class_embeddings`; peers are those of "
        "`faast.evaluation.baselines` with their own published tuning, which sees the support only. Methods that "
        "take no prior stand without it in the groups with one. Seconds are processor time of one "
        "thread from rows to a model that answers.",
        describe_limits(),
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
    write_page(folder / "few_shot.md", lines)


def write_plots(groups: list[Measured], folder: Path) -> None:
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
        lines_against(
            label,
            panels,
            folder / f"{stem}.png",
            ours=OURS,
            what="accuracy (%)",
            scale="linear",
            every_tick=what == "shots",
        )
