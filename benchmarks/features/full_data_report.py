"""What results/features/full_data.md says and shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks._lib.limits import describe as describe_limits
from benchmarks._lib.plots import lines_against
from benchmarks._lib.report import plus_minus, provenance, size, table, verdict, write_page
from benchmarks.features.full_data_cases import METHODS, NATURAL, PROJECTION, SVM_ROWS, Measured
from faast.evaluation.measure import OURS, SLOW_SECONDS

MANY_ROWS = 2_000
"""Above, peers whose cost grows fast are given less to do; see `full_data.options`."""

ORACLE_SECONDS = 2.0
"""Above, the best strength on test is not looked for."""


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
            f"{result.seconds:.3g}{'*' * (result.seconds > SLOW_SECONDS)}",
            f"{result.seconds / ours.seconds:.3g}",
            size(result.bytes),
        ])  # fmt: skip
    header = ["", "accuracy (%)", "ours minus it", "ECE (%)", "seconds", "times ours", "bytes"]
    strength = ""
    if not np.isnan(measured.regret):
        strength = f"The best strength on test gains {measured.regret:.2f} points. "
    reached = "no projection of up to 20 epochs is as accurate"
    if measured.reached:
        reached = "one of {} epochs is the first as accurate, in {:.3g} s".format(*measured.reached)
        reached += f" ({measured.reached[1] / ours.seconds:.3g} times ours)"
    return [
        f"## {case.title}",
        "",
        f"{shape}. Ours with all that learning on and forgetting need: {size(ours.state_bytes)}. "
        f"{strength}Time saved against the trained projection: {measured.saved:.1f}%; {reached}.",
        "",
        *table(header, rows),
    ]


def overview(cases: list[Measured]) -> list[str]:
    header = ["", "rows", "ours (%)", "best peer", "(%)", "ours minus it", "our ECE", "best ECE of a peer", "our seconds", "least seconds", "time saved"]  # fmt: skip
    rows = []
    for m in cases:
        best, calibrated = m.best_peer, best_calibrated(m)
        rows.append([
            m.case.title, f"{m.case.rows:,}", f"{m.ours.accuracy:.2f}", best,
            f"{m.results[best].accuracy:.2f}", plus_minus(*m.lead(best), 2, True), f"{m.ours.ece:.2f}",
            f"{m.results[calibrated].ece:.2f} ({calibrated})", f"{m.ours.seconds:.3g}",
            f"{m.least_seconds:.2g} ({m.least_seconds / m.ours.seconds:.0%})", f"{m.saved:.1f}%",
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
    rows += [time_target(large, 80, len(large)), time_target(large, 90, (len(large) + 1) // 2)]
    known = [m.regret for m in cases if not np.isnan(m.regret)]
    mean = float(np.mean(known or [np.nan]))
    rows.append([f"Within 0.5 of the strength that is best on test, in the mean of the {len(known)} sets where one solve takes at most {ORACLE_SECONDS:.0f} s", f"{mean:.2f}", verdict(mean <= 0.5 if known else None)])  # fmt: skip
    return ["## Targets", "", *table(["target", "measured", ""], rows)]


def time_target(cases: dict[str, Measured], saved: int, enough: int) -> list[str]:
    failed = [
        f"{title} ({m.saved:.1f}% saved, {m.lead(PROJECTION)[0]:+.2f})"
        for title, m in cases.items()
        if m.saved < saved or m.lead(PROJECTION)[0] < 0
    ]
    met = len(cases) - len(failed)
    told = f"{met} of {len(cases)}" + (f"; not: {'; '.join(failed)}" if failed else "")
    goal = f"{saved}% of the trained projection's time saved at equal or better accuracy, on at least {enough} of the sets of 1,000 rows or more"
    return [goal, told, verdict(met >= enough)]


def cifar_targets(measured: Measured) -> Iterator[list[str]]:
    logistic = measured.results["logistic"]
    for method, goal, floor, share in (
        (OURS, "default arguments at logistic regression's accuracy in 1/5 of its time", logistic.accuracy, 5),
        (NATURAL, "`NaturalGradientClassifier` at 77.0 in 1/20 of logistic regression's time", 77.0, 20),
    ):  # fmt: skip
        found = measured.results[method]
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
    cases: list[Measured],
    absent: list[str],
    command: str,
    repeats: int,
    folder: Path,
) -> None:
    lines = [
        "# All rows: default arguments beside every peer on the same frozen features",
        "",
        provenance(command),
        "`faast` is `FaastClassifier()` with default arguments and, where there is a prior, "
        "`class_embeddings`; peers are those of `faast.evaluation.baselines`, tuned on the learned rows only. "
        f"Peers given less to do on more than {MANY_ROWS:,} rows: random-relu-ridge 2,000 random features "
        f"(else 10,000), kernel-svm C of 1 and 10 (else five values; left out above {SVM_ROWS:,} rows). "
        "linear-projection trains 20 epochs on all rows. Methods that take no prior stand without it "
        f"in the tables with one. Seconds: processor time of one thread, median of {repeats} runs in turns; "
        f"those above {SLOW_SECONDS:.0f} s are marked * and run once, as are peers on more than {SVM_ROWS:,} rows. ± is half a 95% interval, paired over test rows. "
        "Peers' seconds include their own choice of parameters (logistic: 26 fits).",
        describe_limits(),
        *absent,
        "",
        *targets(cases),
        *overview(cases),
        "![Accuracy against adaptation time](full_data_time.png)",
        "",
    ]  # fmt: skip
    for measured in cases:
        lines += case_section(measured)
    write_page(folder / "full_data.md", lines)


def write_plot(cases: list[Measured], folder: Path) -> None:
    panels = {
        m.case.title: {method: [(r.seconds, r.accuracy)] for method, r in m.results.items()}
        for m in cases
    }
    lines_against(
        "adaptation (seconds)",
        panels,
        folder / "full_data_time.png",
        ours=OURS,
        what="accuracy (%)",
        scale="linear",
    )
