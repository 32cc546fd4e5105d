"""What results/lm.md says."""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from typing import Any

import peft
import transformers

from lm_methods import FROZEN, LORA, NATURAL, PROJECTION
from report import RESULTS, provenance, size, table, verdict

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


def section(rows: list[Measured]) -> list[str]:
    frozen, lora = named(rows, FROZEN), named(rows, LORA)
    budget = lora.reached or lora.seconds
    sign = "" if lora.reached else "< "

    def line(row: Measured) -> list[str]:
        harm = row.perplexity > WORST * frozen.perplexity
        share = f"{sign}{100 * row.seconds / budget:.1f}%"
        return [
            row.method,
            f"{row.perplexity:.1f}",
            "**worse**" if harm else "no",
            f"{row.seconds:.1f}",
            share,
            size(row.extra_bytes) if row.extra_bytes else "0",
            f"{row.overhead:.2f}",
        ]

    natural = named(rows, NATURAL)
    told = (
        f"LoRA was at the natural memory's {natural.perplexity:.1f} after {budget:.1f} s."
        if lora.reached
        else f"LoRA never came to the natural memory's {natural.perplexity:.1f}, in {budget:.1f} s."
    )
    header = ["method", "perplexity", "worse than frozen by over 0.5%", "learning, s",
              "share of LoRA's time", "extra memory", "overhead"]  # fmt: skip
    return [f"## {rows[0].domain}", "", told, "", *table(header, map(line, rows))]


def named(rows: list[Measured], method: str) -> Measured:
    return next(row for row in rows if row.method == method)


def targets(domains: list[list[Measured]], story_model: bool) -> list[list[object]]:
    lines: list[list[object]] = []
    for rows in domains:
        natural, lora, frozen = (named(rows, name) for name in (NATURAL, LORA, FROZEN))
        name, ours = rows[0].domain, natural.perplexity
        if name == "Shakespeare" and story_model:
            goal = f"{name}: natural at most {SHAKESPEARE:.0f}"
            lines.append([goal, f"{ours:.1f}", verdict(ours <= SHAKESPEARE)])
        theirs = named(rows, PROJECTION).perplexity
        goal = f"{name}: at or below the linear projection by backprop"
        lines.append([goal, f"{ours:.1f} against {theirs:.1f}", verdict(ours <= theirs)])
        budget = lora.reached or lora.seconds
        share = natural.seconds / budget
        sign = "" if lora.reached else "< "
        goal = f"{name}: at most 10% of LoRA's time to the same perplexity"
        lines.append([goal, f"{sign}{100 * share:.1f}%", verdict(share <= 0.1)])
        ours_all = [row for row in rows if row.method.startswith("**")]
        worst = max(row.perplexity for row in ours_all) / frozen.perplexity
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
    lines = [
        f"# Language models: {subject.folder.name}",
        "",
        f"{provenance(command)} transformers {transformers.__version__}, peft {peft.__version__}; "
        "seed 0 for shuffling and initial weights.",
        "",
        f"{n_tokens:,} tokens learned in windows of {subject.window}; perplexity in windows of "
        f"{subject.window} over the last {n_test:,} tokens of the same file, or of the test file where "
        "there is one. Seconds are processor seconds of one thread, forward pass included. Trained "
        "methods hold out every twentieth window, choose one of three learning rates on those in short "
        "runs (whose time is not counted), stop early and keep the best weights: up to 3 epochs, 2 for "
        "prompts and prefixes, 8 for LoRA. LoRA is scored on the test twice an epoch (not counted) to "
        "find when it reaches the natural memory; where it never does, shares are of all its time and "
        "upper bounds. Extra memory is what is held beside the model, state for further learning "
        "included. Overhead is the time of a forward pass over the plain model's, in turns. Methods in "
        "bold are ours.",
        "",
        "## Targets",
        "",
        *table(["target", "measured", ""], [*targets(domains, stem == "lm"), *costs[1]]),
    ]
    for rows in domains:
        lines += section(rows)
    lines += costs[0]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{stem}.md").write_text("\n".join(lines), encoding="utf-8")
    with (RESULTS / f"{stem}.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(asdict(measured[0])))
        writer.writeheader()
        writer.writerows(map(asdict, measured))
