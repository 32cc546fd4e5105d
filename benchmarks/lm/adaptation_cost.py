"""What learning and reading cost, on random weights of larger shapes: ratios taken in turns."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig

from benchmarks._lib.report import table, verdict
from faast.lm import FaastForCausalLM, MemoryConfig

BATCH, LENGTH, N_BATCHES = 8, 256, 4
NEW_TOKENS = 24
SHAPES = {
    "Llama, d = 512, 12 blocks, 32,000 tokens": LlamaConfig(
        hidden_size=512,
        num_hidden_layers=12,
        num_attention_heads=8,
        intermediate_size=1376,
        vocab_size=32_000,
    ),
    "GPT-2, d = 768, 12 blocks, 50,257 tokens": GPT2Config(),
}


def process_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def in_turns(tasks: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each task in each round, tasks taking turns."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, task in tasks.items():
            seconds[name].append(process_seconds(task))
    return seconds


def ratio(seconds: list[float], to: list[float]) -> float:
    """Median over rounds."""
    return median(ours / theirs for ours, theirs in zip(seconds, to, strict=True))


def generation_ratios(models: Mapping[str, Any], prompt: torch.Tensor) -> dict[str, float]:
    """Greedy generation with the cache, each against the first of the models."""

    def task(model: Any) -> Callable[[], object]:
        return lambda: model.generate(
            prompt, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=0
        )  # fmt: skip

    tasks = {name: task(model) for name, model in models.items()}
    in_turns(tasks, 1)
    seconds = in_turns(tasks, 5)
    plain = next(iter(seconds.values()))
    return {name: ratio(taken, plain) for name, taken in seconds.items()}


def learning(name: str, config: Any) -> tuple[list[list[str]], list[list[object]]]:
    """Rows of the cost table and of the targets for one shape."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain = AutoModelForCausalLM.from_config(config).eval()
        batches = iter(torch.randint(0, config.vocab_size, (N_BATCHES, BATCH, LENGTH)))
    exact = FaastForCausalLM.from_base(copy.deepcopy(plain), MemoryConfig("pseudoinverse"))
    natural = FaastForCausalLM.from_base(copy.deepcopy(plain), MemoryConfig())
    rounds: dict[str, list[float]] = {"body": [], "logits": [], "exact": [], "natural": []}
    for ids in batches:
        with torch.no_grad():
            tasks = {
                "body": lambda ids=ids: plain.base_model(input_ids=ids, use_cache=False),
                "logits": lambda ids=ids: plain(input_ids=ids, use_cache=False),
                "exact": lambda ids=ids: exact.learn(ids),
                "natural": lambda ids=ids: natural.learn(ids),
            }
            for task, taken in in_turns(tasks, 1).items():
                rounds[task] += taken
    total = {task: sum(taken) for task, taken in rounds.items()}
    prompt = torch.arange(64)[None].expand(2, -1)
    generated = generation_ratios(
        {"plain": plain, "unfolded": natural, "folded": natural.fold()}, prompt
    )
    exact_ratio, natural_ratio = (
        ratio(rounds["exact"], rounds["body"]),
        total["natural"] / total["logits"],
    )
    shown = [
        f"{exact_ratio:.2f}",
        f"{total['exact'] / total['logits']:.2f}",
        f"{natural_ratio:.2f}",
    ]
    rows = [[name, *shown, f"{generated['unfolded']:.2f}", f"{generated['folded']:.2f}"]]
    return rows, [
        [f"{name}: learning exact moments at most 1.10 of a forward pass", f"{exact_ratio:.2f}", verdict(exact_ratio <= 1.10)],
        [f"{name}: learning the natural memory at most 2 of a forward pass with logits", f"{natural_ratio:.2f}", verdict(natural_ratio <= 2)],
        [f"{name}: generating, unfolded at most 1.05", f"{generated['unfolded']:.2f}", verdict(generated["unfolded"] <= 1.05)],
        [f"{name}: generating, folded 1.00", f"{generated['folded']:.2f}", verdict(round(generated["folded"], 2) <= 1.0)],
    ]  # fmt: skip


def cost_section() -> tuple[list[str], list[list[object]]]:
    """Lines of the report, and rows of its targets."""
    rows, targets = [], []
    for name, config in SHAPES.items():
        more, aims = learning(name, config)
        rows += more
        targets += aims
    header = ["random weights", "exact / forward without logits", "exact / with logits",
              "natural / with logits", "generation, unfolded / plain", "folded / plain"]  # fmt: skip
    lines = [
        "## What learning and reading cost",
        "",
        f"learn() over {N_BATCHES} batches of {BATCH} x {LENGTH} random tokens against forward passes "
        "over the same, taken in turns (exact moments: median of the batches' ratios, against a "
        "forward pass that stops before the logits; natural: whole pass, first blocks included); "
        f"greedy generation of {NEW_TOKENS} tokens for two prompts of 64, median of 5 in turns.",
        "",
        *table(header, rows),
    ]
    return lines, targets
