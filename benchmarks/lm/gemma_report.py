"""What results/lm/gemma.md says."""

from __future__ import annotations

from collections.abc import Sequence

import peft
import transformers

from benchmarks._lib.report import provenance, table
from benchmarks.lm.gemma_cells import Cells
from benchmarks.lm.gemma_methods import CHECKS_PER_EPOCH, EPOCHS, PATIENCE
from benchmarks.lm.gemma_tables import NOT_RUN, PAIRS, Tables
from benchmarks.lm.gemma_texts import WINDOW


def page(cells: Cells, sizes: Sequence[int], command: str) -> list[str]:
    """Return the lines of the page."""
    tables = Tables(cells, sizes)
    return [
        "# Gemma 3 270M, taught four texts",
        "",
        f"{provenance(command)} transformers {transformers.__version__}, peft {peft.__version__}; "
        "seed 0 for shuffling and initial weights.",
        "",
        *setting(len(cells.cells[0].losses), cells.cells[0].dtype),
        "## Targets",
        "",
        *table(["target", "measured", ""], tables.targets()),
        "## Perplexity",
        "",
        *(line for text in tables.texts for line in tables.perplexities(text)),
        "## Differences that decide",
        "",
        "Mean loss of the first less that of the second, nats a token, with the 95% interval of the "
        "differences by window. Below zero the first is better.",
        "",
        *table(
            ["text", "tokens learned", *(f"{a} less {b}" for a, b in PAIRS)], tables.differences()
        ),
        "## What learning costs",
        "",
        "Processor time to learn and to be ready for questions, in forward passes over what is learned "
        "(logits included, measured just before), mean over the texts; and bytes kept beside the model, of the "
        "text that needs most. "
        "Trained methods: up to the check at which they are best, at one learning rate.",
        "",
        *table(
            [
                "method",
                *(f"passes, {n * WINDOW:,} tokens" for n in sizes),
                *(f"bytes, {n * WINDOW:,} tokens" for n in sizes),
            ],
            tables.costs(),
        ),
        "## Training by backpropagation, on the way",
        "",
        "Epochs, perplexity after them, and in brackets the forward passes over what is learned that it "
        "took until then; beside the natural memory.",
        "",
        *table(
            [
                "text",
                "tokens learned",
                "method",
                "rate",
                "on the way",
                "natural",
                "its time to natural's perplexity",
            ],
            tables.training(),
        ),
        "## Forgetting elsewhere",
        "",
        f"Perplexity of every text after {sizes[1] * WINDOW:,} tokens of one were learned, on half of "
        "the windows that are asked; in brackets the frozen model's. The projection is at the check of "
        "least loss on windows that its training holds out.",
        "",
        *tables.forgetting(),
    ]


def setting(n_asked: int, dtype: str) -> list[str]:
    """Tell what was learned and asked, and by which rules."""
    return [
        f"4-bit weights (Q4_K_M), computed in {dtype}; windows of {WINDOW} tokens, the first of each "
        "a begin token. The first windows of a text are learned; asked are "
        f"{n_asked} windows, spread evenly over the test file (WikiText-2, German captions) or over "
        "the last quarter of the text. Two processes share the texts. Seconds are "
        "processor seconds of one thread, with every forward pass that a method needs: the blocks are computed once for each window, and each "
        "method that reads them is charged their time. Methods in bold are ours, with their "
        "defaults; one memory goes on learning from size to size. The command may be run in parts: what "
        "it finds in gemma.json is not measured again.",
        "",
        "In-context: what is learned stands in front of each window, as one text with one begin token; "
        "49,152 tokens are more than the model has positions. kNN-LM: 64 neighbours, temperature and "
        "share chosen on the last fifth of what is learned. Projection and LoRA "
        f"(rank 8, all linear layers of the blocks): Adam, up to {EPOCHS} epochs, 2 windows a step. "
        f"Every twentieth window is held out, and training stops after {PATIENCE + 1} checks, "
        f"{CHECKS_PER_EPOCH} in an epoch, without a lower loss on these. They are asked after each "
        "quarter of the first epoch and after each further one, and shown at the check with the lowest "
        "loss on the test windows, which cannot be known without them; the projection's learning rate "
        "is chosen in the same way, where a text is first learned. Tuning the whole head (168 million "
        f"parameters) is not run; {NOT_RUN} marks what else is not. What memories cost while the model "
        "writes is told [elsewhere](serving_gemma.md), and so is [what of WikiText-2](gemma_marks.md) is learned.",
        "",
    ]
