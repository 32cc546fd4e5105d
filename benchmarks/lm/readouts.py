"""The paper's memories with pretrained readouts against the frozen model and in-context learning.

Run ``python -m benchmarks.lm.readouts`` after benchmarks/lm/backbone.py; it pretrains readouts on film
reviews for that backbone and writes results/lm/readouts.md. Ten minutes of one CPU thread.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from benchmarks._lib.paths import CACHE, results_folder
from benchmarks._lib.report import provenance
from benchmarks._lib.texts import BACKBONES, read, reviews
from benchmarks.lm.readouts_report import Score, section, verdicts
from benchmarks.lm.start import start
from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.documents import text_windows
from faast.lm.pretraining import paper_arguments, pretrain

BACKBONE = BACKBONES / "small"
STEP_WINDOWS = 8
WINDOW = 256
CONTEXT = 256
SUPPORTS = (4_096, 32_768)
VALIDATION = 7_680
TEST = 25_600
BATCH = 8
ALPHAS = (0.4, 0.6, 0.8)
BUFFER = {"buffer_size": 16_384, "block_size": 8_192}
LEARNING_RATE = 1e-3

OURS = "**paper, pretrained readouts**"

Readouts = dict[str, Tensor]


@dataclass(frozen=True)
class Domain:
    """Windows to learn, to choose alpha on and to be tested on; no two of one another."""

    name: str
    support: Tensor
    validation: Tensor
    test: Tensor


def domains(tokenizer: PreTrainedTokenizerBase) -> list[Domain]:
    texts = {
        "film reviews": reviews(held_out=True),
        "Shakespeare": [read("tinyshakespeare")],
        "WikiText-2": [read("wikitext2_test")],
    }
    found = []
    for name, documents in texts.items():
        windows = text_windows(tokenizer, documents, WINDOW)
        sizes = [VALIDATION // WINDOW, TEST // WINDOW]
        parts = windows.split([len(windows) - sum(sizes), *sizes])
        found.append(Domain(name, *parts))
    return found


@torch.no_grad()
def losses(model: Callable, windows: Tensor, support: Tensor | None = None) -> Tensor:
    """Mean loss of each window; behind a window of a support, where one is given."""
    given = windows
    if support is not None:
        generator = torch.Generator().manual_seed(0)
        drawn = torch.randint(len(support), (len(windows),), generator=generator)
        given = torch.cat([support[drawn][:, -CONTEXT:], windows], dim=1)
    found = []
    for batch in given.split(BATCH):
        logits = model(input_ids=batch).logits[:, -WINDOW:-1].float()
        targets = batch[:, -WINDOW + 1 :]
        found.append(functional.cross_entropy(logits.mT, targets, reduction="none").mean(dim=1))
    return torch.cat(found)


@contextmanager
def learned(
    base: PreTrainedModel, config: MemoryConfig, support: Tensor, readouts: Readouts
) -> Iterator[FaastForCausalLM]:
    model = FaastForCausalLM.from_base(base, config)
    model.readouts.load_state_dict(readouts)
    try:
        for batch in support.split(BATCH):
            model.learn(batch)
        yield model
    finally:
        model.detach()


class Paper:
    """The paper's memories; alpha, which it sets by hand, is chosen on validation windows."""

    def __init__(self, method: str, readouts: Readouts) -> None:
        self.method = method
        self.readouts = readouts

    def __call__(self, base: PreTrainedModel, domain: Domain, support: Tensor) -> Score:
        configs = [MemoryConfig.paper(len(self.readouts) // 2, alpha, **BUFFER) for alpha in ALPHAS]
        validated = []
        for config in configs:
            with learned(base, config, support, self.readouts) as model:
                validated.append(float(losses(model, domain.validation).mean()))
        chosen = configs[int(np.argmin(validated))]
        with learned(base, chosen, support, self.readouts) as model:
            method = f"{self.method} (alpha {chosen.alpha})"
            return Score(method, support.numel(), losses(model, domain.test))


def natural(base: PreTrainedModel, domain: Domain, support: Tensor) -> Score:
    with learned(base, MemoryConfig(), support, {}) as model:
        return Score("natural memory", support.numel(), losses(model, domain.test))


def compare(base: PreTrainedModel, domain: Domain, other: Domain, trained: Readouts) -> list[Score]:
    """Frozen, in-context, and every memory after each size of support."""
    scores = [
        Score("frozen", 0, losses(base, domain.test)),
        Score("in-context", CONTEXT, losses(base, domain.test, domain.support)),
    ]
    untrained = Paper("paper, output memory alone", {})
    pretrained = Paper(OURS, trained)
    foreign = Paper(f"paper, pretrained readouts, {other.name} learned instead", trained)
    for size in SUPPORTS:
        support = domain.support[: size // WINDOW]
        scores.append(untrained(base, domain, support))
        scores.append(pretrained(base, domain, support))
        scores.append(natural(base, domain, support))
    scores.append(foreign(base, domain, other.support[: SUPPORTS[-1] // WINDOW]))
    for score in scores:
        print(domain.name, score.method, score.n_support, f"{score.perplexity:.1f}", flush=True)
    return scores


def train_readouts(
    backbone: Path, tokenizer: PreTrainedTokenizerBase, steps: int
) -> tuple[Readouts, list[float], float]:
    """Pretrained readouts, the losses on the way, and processor seconds."""
    folder = CACHE / "readouts" / backbone.name
    shutil.rmtree(folder, ignore_errors=True)
    base = AutoModelForCausalLM.from_pretrained(backbone)
    model = FaastForCausalLM.from_base(base, MemoryConfig.paper(1, 1.0, **BUFFER))
    window = base.config.max_position_embeddings
    documents = reviews(held_out=False)[: steps * STEP_WINDOWS * 3]
    windows = text_windows(tokenizer, documents, window)
    arguments = paper_arguments(
        folder,
        max_steps=steps,
        per_device_train_batch_size=STEP_WINDOWS,
        learning_rate=LEARNING_RATE,
        warmup_steps=steps // 20,
        logging_steps=max(steps // 10, 1),
        save_strategy="no",
        bf16=True,
        use_cpu=True,
    )
    started = time.process_time()
    history = pretrain(model, [{"input_ids": row} for row in windows], arguments)
    seconds = time.process_time() - started
    return model.readouts.state_dict(), [e["loss"] for e in history if "loss" in e], seconds


def study(folder: Path, steps: int) -> list[str]:
    """Pretrain readouts for a backbone, measure, and report."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    trained, path, seconds = train_readouts(folder, tokenizer, steps)
    base = AutoModelForCausalLM.from_pretrained(folder).eval()
    given = domains(tokenizer)
    results = {
        domain.name: compare(base, domain, other, trained)
        for domain, other in zip(given, [*given[1:], given[0]], strict=True)
    }
    return [
        "## Backbone pretrained on film reviews (results/lm/backbone.md)",
        "",
        f"{base.num_parameters():,} parameters. Its readouts, {sum(w.numel() for w in trained.values()):,} "
        f"parameters, took {steps} steps and {seconds / 60:.1f} minutes of processor time; the loss over "
        f"ten equal parts of them: {', '.join(f'{loss:.3f}' for loss in path)}.",
        "",
        *verdicts(results, OURS),
        *(line for domain, scores in results.items() for line in section(domain, scores)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=120)
    arguments = parser.parse_args()
    start()
    lines = [
        "# Pretrained readouts",
        "",
        "The paper's memories, one in front of the middle block and one behind the last, with a buffer of "
        f"{BUFFER['buffer_size']:,} pairs and blocks of {BUFFER['block_size']:,}. Readouts are pretrained on "
        f"film reviews in windows of 512 tokens, {STEP_WINDOWS} a step, bfloat16 autocast, AdamW at {LEARNING_RATE:g}, "
        f"cosine. Perplexity in windows of {WINDOW} over {TEST:,} tokens that nothing was trained on. "
        f"In-context: each window follows {CONTEXT} tokens of the support, all that the positions of the "
        f"backbones leave. Alpha is the best of {', '.join(map(str, ALPHAS))} on {VALIDATION:,} other "
        "tokens. Differences in mean loss a token are paired by window, with 95% intervals. Where the "
        "memory learned another domain instead, what is left is what the readouts add whatever was "
        "learned.",
        "",
        provenance("python -m benchmarks.lm.readouts"),
        "",
    ]
    lines += study(BACKBONE, arguments.steps)
    (results_folder("lm") / "readouts.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
