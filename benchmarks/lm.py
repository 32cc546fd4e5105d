"""Ways to adapt a small story model to other texts: perplexity, time to learn, memory, overhead.

Run ``python benchmarks/lm.py [--tokens 204800]``; it writes results/lm.md. It needs the folder of
reference data (FAAST_SHARED) and ``pip install "faast[lm]" peft``.
"""

from __future__ import annotations

import argparse
import lzma
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.baselines import (
    Adapted,
    HeadTuning,
    LinearProjection,
    LoRA,
    NearestTokens,
    ZeroShot,
)
from faast.lm.perplexity import perplexity

SHARED = Path(os.environ.get("FAAST_SHARED", Path(__file__).parents[2] / "shared"))
RESULTS = Path(__file__).parents[1] / "results" / "lm.md"
MODEL = SHARED / "data" / "models" / "tinystories-656k"
WINDOW = 256
TEST_TOKENS = 51_200
BATCH = 16


@dataclass(frozen=True)
class Domain:
    """Texts to learn from and to be tested on; the same file's tail where there is one file."""

    name: str
    train: str
    test: str
    characters: int


DOMAINS = [
    Domain("Shakespeare", "tinyshakespeare", "tinyshakespeare", 10**9),
    Domain("WikiText-2", "wikitext2_train", "wikitext2_test", 2_000_000),
    Domain("film reviews", "imdb_unsup_40k", "imdb_unsup_40k", 3_000_000),
]


def learn(config: MemoryConfig, *, folded: bool = False) -> Callable[..., Adapted]:
    def adapt(base, windows):
        model = FaastForCausalLM.from_base(base, config)
        for batch in windows.split(BATCH):
            model.learn(batch)
        size = sum(part.nbytes for part in model._memory("default").parts)
        with torch.no_grad():
            model(input_ids=windows[:1])  # solves what is solved when first read
        if folded:
            return Adapted(model.fold(), base.get_output_embeddings().weight.nbytes)
        return Adapted(model, size)

    return adapt


METHODS = {
    "zero-shot": ZeroShot(),
    "paper's output memory, training-free": learn(MemoryConfig.paper(0, 1.0)),
    "exact pseudo-inverse, settings chosen": learn(MemoryConfig("pseudoinverse")),
    "**natural memory**": learn(MemoryConfig()),
    "**natural memory, folded**": learn(MemoryConfig(), folded=True),
    "linear projection, 3 epochs": LinearProjection(),
    "LoRA, as many parameters, 3 epochs": LoRA(),
    "whole head, 3 epochs": HeadTuning(),
    "kNN-LM": NearestTokens(),
}


def read_tokens(tokenizer, domain, name):
    with lzma.open(SHARED / "data" / "lm" / f"{name}.txt.xz", "rt", encoding="utf-8") as file:
        text = file.read(domain.characters)
    ids = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    return torch.tensor(ids)


def forward_seconds(model, windows, repeats=5):
    """CPU seconds of a forward pass with logits over the windows: the median of repeats."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        with torch.no_grad():
            for batch in windows.split(BATCH):
                model(input_ids=batch)
        seconds.append(time.process_time() - start)
    return median(seconds)


def measure(domain, tokenizer, n_tokens):
    train = read_tokens(tokenizer, domain, domain.train)
    test = train if domain.test == domain.train else read_tokens(tokenizer, domain, domain.test)
    test = test[-TEST_TOKENS:]
    windows = train[:n_tokens].view(-1, WINDOW)
    pace = windows[:64]
    plain = AutoModelForCausalLM.from_pretrained(MODEL).eval()
    one_pass = forward_seconds(plain, windows, 3)
    for name, adapt in METHODS.items():
        base = AutoModelForCausalLM.from_pretrained(MODEL).eval()
        start = time.process_time()
        adapted = adapt(base, windows)
        seconds = time.process_time() - start
        score = perplexity(adapted.model, test, WINDOW)
        slow = name == "kNN-LM"
        overhead = forward_seconds(adapted.model, pace[:8] if slow else pace, 1 if slow else 5)
        overhead /= forward_seconds(plain, pace[:8] if slow else pace)
        yield name, score, seconds, seconds / one_pass, adapted.extra_bytes, overhead
        print(domain.name, name, f"{score:.1f} {seconds:.1f} s {overhead:.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=204_800)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    lines = [
        "# Language models",
        "",
        f"A story model of 656K parameters (d = 128, 2 blocks, 2,048 tokens) adapted to other texts "
        f"with {arguments.tokens:,} tokens. Perplexity in windows of {WINDOW} over the last "
        f"{TEST_TOKENS:,} tokens (of the same file, or of the test file where there is one). Learning "
        "includes the forward pass; seconds are CPU seconds of one thread, since the machine was "
        "shared; the ratio is to one forward pass with logits over the same tokens. Extra memory is "
        "what is held beside the model, learning state included. Overhead is the time of a forward "
        "pass over that of the plain model.",
        "",
        f"torch {torch.__version__}, transformers {transformers.__version__}, one thread of "
        f"{platform.machine()}, one run. Written by benchmarks/lm.py.",
    ]
    for domain in DOMAINS:
        lines += [
            "",
            f"## {domain.name}",
            "",
            "| method | perplexity | learning, s | ratio | extra memory, MB | overhead |",
            "|---|---|---|---|---|---|",
        ]
        for name, score, seconds, ratio, size, overhead in measure(
            domain, tokenizer, arguments.tokens
        ):
            lines.append(
                f"| {name} | {score:.1f} | {seconds:.1f} | {ratio:.2f} | {size / 1e6:.2f} "
                f"| {overhead:.2f} |"
            )
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
