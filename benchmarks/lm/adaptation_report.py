"""What results/lm/adaptation.md says."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from typing import Any

import peft
import transformers

from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import provenance, size, table, verdict
from benchmarks.lm.adaptation_methods import LORA, NATURAL, PROJECTION

WORST = 1.005
SHAKESPEARE = 105.0


@dataclass(frozen=True)
class Measured:
    """One method on one domain.

    Attributes
    ----------
    seconds : float
        To learn, forward pass included; without the choice of a learning rate.
    overhead : float
        Time of a forward pass over that of the plain model.
    reached : float or None
        Seconds until the natural memory's perplexity was reached, where that was watched.
    """

    domain: str
    method: str
    perplexity: float
    seconds: float
    extra_bytes: int
    overhead: float
    reached: float | None


def recorded(stem: str) -> list[Measured]:
    """Read what an earlier run has left in the table of results."""
    file = results_folder("lm") / f"{stem}.csv"
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as stream:
        return [
            Measured(
                row["domain"],
                row["method"],
                float(row["perplexity"]),
                float(row["seconds"]),
                int(row["extra_bytes"]),
                float(row["overhead"]),
                float(row["reached"]) if row["reached"] else None,
            )
            for row in csv.DictReader(stream)
        ]


def section(rows: list[Measured]) -> list[str]:
    frozen = rows[0]

    def line(row: Measured) -> list[str]:
        harm = row.perplexity > WORST * frozen.perplexity
        return [
            row.method,
            f"{row.perplexity:.1f}",
            "**worse**" if harm else "no",
            f"{row.seconds:.1f}",
            share(row, rows)[1],
            size(row.extra_bytes) if row.extra_bytes else "0",
            f"{row.overhead:.2f}",
        ]

    header = ["method", "perplexity", "worse than frozen by over 0.5%", "learning, s",
              "share of LoRA's time", "extra memory", "overhead"]  # fmt: skip
    return [f"## {frozen.domain}", "", *told(rows), *table(header, map(line, rows))]


def told(rows: list[Measured]) -> list[str]:
    """How long LoRA took to come to the natural memory."""
    natural, lora = named(rows, NATURAL), named(rows, LORA)
    if natural is None or lora is None:
        return []
    goal = f"the natural memory's {natural.perplexity:.1f}"
    if lora.reached:
        return [f"LoRA was at {goal} after {lora.reached:.1f} s.", ""]
    return [f"LoRA never came to {goal}, in {lora.seconds:.1f} s.", ""]


def share(row: Measured, rows: list[Measured]) -> tuple[float, str]:
    """Share of LoRA's time to the natural memory, as a number and as it is shown."""
    lora = named(rows, LORA)
    if lora is None:
        return float("nan"), ""
    part = row.seconds / (lora.reached or lora.seconds)
    return part, f"{'' if lora.reached else '< '}{100 * part:.1f}%"


def named(rows: list[Measured], method: str) -> Measured | None:
    return next((row for row in rows if row.method == method), None)


def targets(rows: list[Measured], story_model: bool) -> list[list[object]]:
    """Goals of one domain, as far as it is measured."""
    lines: list[list[object]] = []
    natural, projection, lora = (named(rows, name) for name in (NATURAL, PROJECTION, LORA))
    if natural is None:
        return lines
    name, ours = natural.domain, natural.perplexity
    if name == "Shakespeare" and story_model:
        goal = f"{name}: natural at most {SHAKESPEARE:.0f}"
        lines.append([goal, f"{ours:.1f}", verdict(ours <= SHAKESPEARE)])
    if projection is not None:
        theirs = projection.perplexity
        goal = f"{name}: at or below the linear projection by backprop"
        lines.append([goal, f"{ours:.1f} against {theirs:.1f}", verdict(ours <= theirs)])
    if lora is not None:
        part, shown = share(natural, rows)
        goal = f"{name}: at most 10% of LoRA's time to the same perplexity"
        lines.append([goal, shown, verdict(part <= 0.1)])
    mine = [row.perplexity for row in rows if row.method.startswith("**")]
    worst = max(mine) / rows[0].perplexity
    goal = f"{name}: none of ours worse than frozen by over 0.5%"
    lines.append([goal, f"{worst:.2f} of frozen at most", verdict(worst <= WORST)])
    return lines


def write(
    stem: str,
    measured: list[Measured],
    costs: tuple[list[str], list[list[object]]],
    command: str,
    subject: Any,
    n_tokens: int,
    n_test: int,
) -> None:
    names = dict.fromkeys(row.domain for row in measured)
    domains = [[row for row in measured if row.domain == name] for name in names]
    story = stem == "adaptation"
    aims = [line for rows in domains for line in targets(rows, story)]
    title = "a story model" if story else "a backbone pretrained on film reviews (backbone.md)"
    lines = [
        f"# Language models: {title}",
        "",
        f"{provenance(command)} transformers {transformers.__version__}, peft {peft.__version__}; "
        "seed 0 for shuffling and initial weights.",
        "",
        f"{n_tokens:,} tokens learned in windows of {subject.window}; perplexity in windows of "
        f"{subject.window} over the last {n_test:,} tokens of the same file, or of the test file where "
        "there is one; film reviews are those that no backbone was pretrained on. Seconds are "
        "processor seconds of one thread, forward pass included. Trained methods hold out every "
        "twentieth window, choose one of three learning rates on those in short runs (whose time is not "
        "counted), stop early and keep the best weights: up to 3 epochs, 2 for prompts and prefixes, 8 "
        "for LoRA. LoRA is scored on the test twice an epoch (not counted) to find when it reaches the "
        "natural memory; where it never does, shares are of all its time and upper bounds. Extra memory "
        "is what is held beside the model, state for further learning included. Overhead is the time of "
        "a forward pass over the plain model's, in turns. Methods in bold are ours.",
        "",
        "## Targets",
        "",
        *table(["target", "measured", ""], [*aims, *costs[1]]),
    ]
    for rows in domains:
        lines += section(rows)
    lines += costs[0]
    folder = results_folder("lm")
    (folder / f"{stem}.md").write_text("\n".join(lines), encoding="utf-8")
    with (folder / f"{stem}.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(asdict(measured[0])))
        writer.writeheader()
        writer.writerows(map(asdict, measured))
