"""What ways to adapt a language model hold and cost as the learned text grows.

Run ``make bench-lm``, or ``python -m benchmarks.lm.support [--quick]``; it writes results/lm/support.md and
results/lm/support.csv
(--quick: below results/quick). It needs the folder of reference data (FAAST_SHARED) and
``pip install "faast[lm]" peft``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch

from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import (
    command_line,
    provenance,
    size,
    table,
    write_csv,
    write_figures,
    write_page,
)
from benchmarks.lm.adaptation import DOMAINS, MODEL, Subject, overhead
from benchmarks.lm.adaptation_methods import Memory, Watch, watched
from benchmarks.lm.start import start
from benchmarks.lm_baselines import AdaptationMethod, InContext, LoRA, NearestTokens, Training
from faast.evaluation.lm.perplexity import perplexity
from faast.lm import MemoryConfig

SUPPORTS = (1_280, 5_120, 20_480, 204_800)
QUICK_SUPPORTS = (1_280, 5_120)
PROMPT_TOKENS = 5_120
"""Past it, a prompt's attention takes too long to be measured."""

TEST_TOKENS = 5_120
FOLDED = "**natural memory, folded**"
CONTEXT = "in-context learning"
STORE = "kNN-LM"


@dataclass(frozen=True)
class Row:
    """One method that learned a text of so many tokens.

    Attributes
    ----------
    extra_bytes : int
        Held beside the model: the cache of a prompt, a datastore, trained or learned weights.
    seconds : float
        Processor time to learn, without the choice of a learning rate.
    overhead : float
        Time of a forward pass over that of the plain model.
    """

    tokens: int
    method: str
    extra_bytes: int
    seconds: float
    overhead: float
    perplexity: float


def methods(tokens: int) -> dict[str, AdaptationMethod]:
    found: dict[str, AdaptationMethod] = {
        "**natural memory**": Memory(MemoryConfig()),
        FOLDED: Memory(MemoryConfig(), folded=True),
        STORE: NearestTokens(),
        "LoRA": LoRA(training=Training((3e-3, 1e-2, 3e-2))),
    }
    return found | ({CONTEXT: InContext(tokens)} if tokens <= PROMPT_TOKENS else {})


def measure(subject: Subject, train: torch.Tensor, tokens: int) -> Iterator[Row]:
    test = train[-TEST_TOKENS:]
    windows = train[:tokens].view(-1, subject.window)
    plain = subject.fresh()
    for name, adapter in methods(tokens).items():
        watch = Watch()
        base: Any = subject.fresh()
        started = time.process_time()
        adapted = watched(adapter, watch)(base, windows)
        done = time.process_time()
        spent = done - started if watch.started is None else watch.elapsed(done)
        slow = overhead(plain, adapted.model, windows[:4], 3)
        score = perplexity(adapted.model, test, subject.window)
        yield Row(tokens, name, adapted.extra_bytes, spent, slow, score)


def section(rows: list[Row]) -> list[str]:
    body = [
        [row.method, size(row.extra_bytes), f"{row.seconds:.2f}", f"{row.overhead:.2f}", f"{row.perplexity:.1f}"]
        for row in rows
    ]  # fmt: skip
    header = ["method", "extra memory", "learning, s", "overhead", "perplexity"]
    return [f"## {rows[0].tokens:,} tokens learned", "", *table(header, body)]


def bytes_a_token(rows: list[Row], method: str) -> float:
    last = max((row for row in rows if row.method == method), key=lambda row: row.tokens)
    return last.extra_bytes / last.tokens


def growth(rows: list[Row]) -> list[str]:
    folded = next(row.extra_bytes for row in rows if row.method == FOLDED)
    return [
        f"- {name}: {bytes_a_token(rows, name):,.0f} bytes a learned token, more than a folded memory's "
        f"{size(folded)} from {folded / bytes_a_token(rows, name):,.0f} tokens on."
        for name in (CONTEXT, STORE)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the two smallest supports")
    options = parser.parse_args()
    start()
    subject, domain = Subject.of(MODEL), DOMAINS[0]
    train = subject.tokens(domain.train())
    rows: list[Row] = []
    for tokens in QUICK_SUPPORTS if options.quick else SUPPORTS:
        for row in measure(subject, train, tokens):
            print(f"{tokens:,} tokens: {row.method}", file=sys.stderr, flush=True)
            rows.append(row)
    lines = [
        "# Language models: what is held as the learned text grows",
        "",
        provenance(command_line("lm.support")),
        "",
        f"{subject.folder.name} on {domain.name}, windows of {subject.window}; perplexity over the last "
        f"{TEST_TOKENS:,} tokens, seed 0. In-context learning: the whole text is the prompt, its keys and values are "
        f"the extra memory, up to {PROMPT_TOKENS:,} tokens; the model was trained on 512 positions, so that "
        "perplexity past them says little of larger models. LoRA: up to three epochs, the rate chosen of three "
        "(time of the choice not counted). Natural memory: learning state included; folded: the "
        "head alone, in place of the model's own. Overhead: of a forward pass over the plain model's, in turns. "
        "Seconds: processor time of one thread.",
        "",
        *growth(rows),
        "",
    ]  # fmt: skip
    for tokens in dict.fromkeys(row.tokens for row in rows):
        lines += section([row for row in rows if row.tokens == tokens])
    folder = results_folder("lm", options.quick)
    write_page(folder / "support.md", lines)
    header = Row.__dataclass_fields__
    write_csv(folder / "support.csv", header, (asdict(row).values() for row in rows))
    figures = {name: bytes_a_token(rows, method) for name, method in (("context_bytes_a_token", CONTEXT), ("store_bytes_a_token", STORE))}  # fmt: skip
    write_figures(folder, "support", figures)


if __name__ == "__main__":
    main()
