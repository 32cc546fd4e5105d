"""Ways to adapt a language model to other texts: perplexity, time to learn, memory, overhead.

``python -m benchmarks.lm.adaptation [--backbone SIZE] [--tokens 204800]`` adapts the story model and writes
results/lm/adaptation.md and adaptation.csv, or adapts the backbone that ``benchmarks.lm.backbone --size SIZE`` made and
writes adaptation_backbone.*. ``--domains`` measures some anew beside the recorded others. It needs the
folder of reference data (FAAST_SHARED) and ``pip install "faast[lm]" peft``.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks._lib.paths import DATA
from benchmarks._lib.texts import BACKBONES, read, reviews
from benchmarks.lm.adaptation_cost import cost_section, in_turns, ratio
from benchmarks.lm.adaptation_methods import BATCH, LORA, NATURAL, Watch, methods, watched
from benchmarks.lm.adaptation_report import Measured, recorded, write
from benchmarks.lm.start import start
from benchmarks.lm_baselines import NearestTokens
from faast.evaluation.lm.perplexity import perplexity
from faast.lm.architecture import find_architecture

MODEL = DATA / "models" / "tinystories-656k"
WINDOW = 256
TOKENS = 204_800
TEST_TOKENS = 25_600
PACE_WINDOWS = 16


@dataclass(frozen=True)
class Domain:
    """Texts to learn from and to be tested on: the tail of the same text where there is one."""

    name: str
    train: Callable[[], str]
    test: Callable[[], str] | None = None


DOMAINS = (
    Domain("Shakespeare", lambda: read("tinyshakespeare")),
    Domain(
        "WikiText-2", lambda: read("wikitext2_train")[:2_000_000], lambda: read("wikitext2_test")
    ),
    Domain("film reviews", lambda: "\n\n".join(reviews(held_out=True))),
)


@dataclass(frozen=True)
class Subject:
    """The model that is adapted."""

    folder: Path
    tokenizer: Any
    window: int
    middle_layers: int

    @classmethod
    def of(cls, folder: Path) -> Subject:
        architecture = find_architecture(AutoModelForCausalLM.from_pretrained(folder))
        window = min(WINDOW, (architecture.n_positions or 2 * WINDOW) // 2)
        middle = min(3, len(architecture.blocks) - 1)
        return cls(folder, AutoTokenizer.from_pretrained(folder), window, middle)

    def fresh(self) -> Any:
        return AutoModelForCausalLM.from_pretrained(self.folder).eval()

    def tokens(self, text: str) -> torch.Tensor:
        return torch.tensor(self.tokenizer(text, add_special_tokens=False, verbose=False).input_ids)


def overhead(plain: Any, model: Any, windows: torch.Tensor, rounds: int) -> float:
    @torch.no_grad()
    def ask(reader: Any) -> None:
        for batch in windows.split(BATCH):
            reader(input_ids=batch)

    seconds = in_turns({"plain": lambda: ask(plain), "adapted": lambda: ask(model)}, rounds)
    return ratio(seconds["adapted"], seconds["plain"])


def measure(subject: Subject, domain: Domain, n_tokens: int) -> Iterator[Measured]:
    train = subject.tokens(domain.train())
    test = train if domain.test is None else subject.tokens(domain.test())
    if domain.test is None and len(train) < n_tokens + TEST_TOKENS:
        raise ValueError(f"{domain.name} has {len(train)} tokens: too few to learn {n_tokens}")
    test = test[-TEST_TOKENS:]
    windows = train[: n_tokens // subject.window * subject.window].view(-1, subject.window)
    plain = subject.fresh()
    natural = float("nan")
    for name, adapter in methods(subject.middle_layers).items():
        watch = Watch(
            (lambda model: perplexity(model, test, subject.window)) if name == LORA else None
        )
        base = subject.fresh()
        start = time.process_time()
        adapted = watched(adapter, watch)(base, windows)
        done = time.process_time()
        seconds = done - start if watch.started is None else watch.elapsed(done)
        score = perplexity(adapted.model, test, subject.window)
        rounds = 2 if isinstance(adapter, NearestTokens) else 5
        slow = overhead(plain, adapted.model, windows[:PACE_WINDOWS], rounds)
        natural = score if name == NATURAL else natural
        reached = watch.seconds_to(natural)
        yield Measured(domain.name, name, score, seconds, adapted.extra_bytes, slow, reached)
        print(
            domain.name,
            name,
            f"{score:.1f} {seconds:.1f} s {slow:.2f}",
            file=sys.stderr,
            flush=True,
        )
        del adapted, base
        gc.collect()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", metavar="SIZE")
    parser.add_argument("--tokens", type=int, default=TOKENS)
    parser.add_argument("--domains", nargs="+", default=[domain.name for domain in DOMAINS])
    arguments = parser.parse_args()
    start()
    stem = "adaptation_backbone" if arguments.backbone else "adaptation"
    subject = Subject.of(BACKBONES / arguments.backbone if arguments.backbone else MODEL)
    options = ["--backbone", arguments.backbone] if arguments.backbone else []
    options += ["--tokens", str(arguments.tokens)] if arguments.tokens != TOKENS else []
    command = " ".join(["python -m benchmarks.lm.adaptation", *options])
    costs = ([], []) if arguments.backbone else cost_section()
    names = [domain.name for domain in DOMAINS]
    measured = [row for row in recorded(stem) if row.domain not in arguments.domains]
    for domain in DOMAINS:
        if domain.name in arguments.domains:
            for row in measure(subject, domain, arguments.tokens):
                measured.append(row)
                ordered = sorted(measured, key=lambda row: names.index(row.domain))
                write(stem, ordered, costs, command, subject, arguments.tokens, TEST_TOKENS)


if __name__ == "__main__":
    main()
