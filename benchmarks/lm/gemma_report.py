"""What results/lm/gemma.md says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp
from statistics import mean

import peft
import transformers

from benchmarks._lib.report import plus_minus, provenance, size, table, verdict
from benchmarks.lm.gemma_cells import Cell, Cells
from benchmarks.lm.gemma_methods import (
    BOTH,
    EPOCHS,
    EXACT,
    FROZEN,
    LORA,
    METHODS,
    NATURAL,
    NEAREST,
    PROJECTION,
    RECALL,
)
from benchmarks.lm.gemma_texts import WINDOW

NOT_RUN = "–"
WORST = 1.005
OURS = (EXACT, RECALL, NATURAL, BOTH)
TRAINED = (PROJECTION, LORA)
PAIRS = ((NATURAL, FROZEN), (NATURAL, PROJECTION), (BOTH, NATURAL), (BOTH, NEAREST))


def page(cells: Cells, sizes: Sequence[int], command: str) -> list[str]:
    """Return the lines of the page."""
    report = Report(cells, sizes)
    return [
        "# Gemma 3 270M, taught four texts",
        "",
        f"{provenance(command)} transformers {transformers.__version__}, peft {peft.__version__}; "
        "seed 0 for shuffling and initial weights.",
        "",
        *report.setting(),
        "## Targets",
        "",
        *table(["target", "measured", ""], report.targets()),
        "## Perplexity",
        "",
        *(line for text in report.texts for line in report.perplexities(text)),
        "## Differences that decide",
        "",
        "Mean loss of the first less that of the second, nats a token, with the 95% interval of the "
        "differences by window. Below zero the first is better.",
        "",
        *table(
            ["text", "tokens learned", *(f"{a} less {b}" for a, b in PAIRS)], report.differences()
        ),
        "## What learning costs",
        "",
        "Processor time to learn and to be ready for questions, in forward passes over what is learned "
        "(logits included, measured just before), mean over the texts; and bytes kept beside the model. "
        f"Trained methods: up to their best epoch of {EPOCHS}, at one learning rate.",
        "",
        *table(
            ["method", *(f"{n * WINDOW:,} tokens" for n in sizes), "bytes kept, last of these"],
            report.costs(),
        ),
        "## Training by backpropagation, epoch by epoch",
        "",
        "Perplexity after each epoch, and forward passes over what is learned that it took until then; "
        "beside the natural memory.",
        "",
        *table(
            [
                "text",
                "tokens learned",
                "method",
                "rate",
                "epochs",
                "natural",
                "its time to natural's perplexity",
            ],
            report.training(),
        ),
        "## Forgetting elsewhere",
        "",
        f"Perplexity of every text after {sizes[1] * WINDOW:,} tokens of one were learned, on half of "
        "the windows that are asked; in brackets the frozen model's. The projection is at the epoch of "
        "least loss on windows that its training holds out.",
        "",
        *report.forgetting(),
    ]


class Report:
    """Tables of the cells."""

    def __init__(self, cells: Cells, sizes: Sequence[int]) -> None:
        self.cells = cells
        self.sizes = sizes
        self.texts = list(dict.fromkeys(cell.text for cell in cells.cells))

    def frozen(self, text: str) -> Cell:
        """Return the cell of the model as it is."""
        found = self.cells.best(text, FROZEN, 0)
        if found is None:
            raise ValueError(f"the frozen model has not been asked {text}")
        return found

    def find(self, text: str, method: str, n_windows: int) -> Cell | None:
        """Return the best cell of a method; the frozen model's is the same for all sizes."""
        return self.cells.best(text, method, 0 if method == FROZEN else n_windows)

    def each(self) -> Iterator[tuple[str, int]]:
        """Return every text with every size."""
        return ((text, n) for text in self.texts for n in self.sizes)

    def setting(self) -> list[str]:
        n_asked = len(self.cells.cells[0].losses)
        return [
            f"4-bit weights (Q4_K_M) computed in bfloat16; windows of {WINDOW} tokens, the first of each "
            "a begin token. The first windows of a text are learned; asked are "
            f"{n_asked} windows, spread evenly over the test file (WikiText-2, German captions) or over "
            "the last quarter of the text. Seconds are processor seconds of one thread, with every "
            "forward pass that a method needs: the blocks are computed once for each window, and each "
            "method that reads them is charged their time. Methods in bold are ours, with their "
            "defaults; one memory goes on learning from size to size.",
            "",
            "In-context: what is learned stands in front of each window. kNN-LM: 64 neighbours, "
            "temperature and share chosen on the last fifth of what is learned. Projection and LoRA "
            f"(rank 8, all linear layers of the blocks): Adam, {EPOCHS} epochs, 2 windows a step; their "
            "epoch is the one that the asked windows themselves like best, which no one could know, and so "
            "is the projection's learning rate, where it is first trained. Tuning the whole head (168 million "
            f"parameters) is not run; {NOT_RUN} marks what else is not.",
            "",
        ]

    def targets(self) -> Iterator[list[object]]:
        for n in self.sizes:
            pairs = [
                (self.find(text, NATURAL, n), self.find(text, PROJECTION, n)) for text in self.texts
            ]
            both = [(ours, theirs) for ours, theirs in pairs if ours and theirs]
            won = sum(ours.loss <= theirs.loss for ours, theirs in both)
            goal = f"{n * WINDOW:,} tokens: natural at or below the projection's best epoch on three of four texts"
            met = won >= 3 if len(both) == len(self.texts) else None
            yield [goal, f"{won} of {len(both)} that were run", verdict(met)]
        for method in (NATURAL, RECALL, BOTH, EXACT):
            worst = max(
                (cell.perplexity / self.frozen(text).perplexity, text, n)
                for text, n in self.each()
                if (cell := self.find(text, method, n))
            )
            goal = f"{method}: never more than 0.5% worse than frozen"
            shown = f"{worst[0]:.3f} of frozen at most ({worst[1]}, {worst[2] * WINDOW:,} tokens)"
            yield [goal, shown, verdict(worst[0] <= WORST)]
        exact = [c.passes for text, n in self.each() if (c := self.find(text, EXACT, n))]
        goal = "exact pseudo-inverse: learns and chooses its settings within 2 forward passes"
        yield [goal, f"{max(exact):.2f} at most", verdict(max(exact) <= 2)]
        for text, n in self.each():
            ours, lora = self.find(text, NATURAL, n), self.find(text, LORA, n)
            if ours and lora:
                reached = seconds_to(lora, ours.loss)
                share = ours.seconds / (reached or lora.curve[-1][0])
                goal = f"{text}, {n * WINDOW:,} tokens: natural within 10% of LoRA's time to its perplexity"
                shown = f"{'' if reached else '< '}{share:.0%}"
                yield [goal, shown, verdict(share <= 0.1)]

    def perplexities(self, text: str) -> list[str]:
        rows = []
        for method in METHODS:
            found = [self.find(text, method, n) for n in self.sizes]
            rows.append([method, *(f"{c.perplexity:.1f}" if c else NOT_RUN for c in found)])
        header = [text, *(f"{n * WINDOW:,} tokens" for n in self.sizes)]
        return table(header, rows)

    def differences(self) -> Iterator[list[str]]:
        for text, n in self.each():
            row = [text, f"{n * WINDOW:,}"]
            for first, second in PAIRS:
                mine, theirs = self.find(text, first, n), self.find(text, second, n)
                known = mine is not None and theirs is not None
                row.append(plus_minus(*mine.gap(theirs), 3, sign=True) if known else NOT_RUN)
            yield row

    def costs(self) -> Iterator[list[str]]:
        for method in METHODS:
            if method == FROZEN:
                continue
            shown, n_bytes = [], 0
            for n in self.sizes:
                found = [c for text in self.texts if (c := self.find(text, method, n))]
                shown.append(f"{mean(c.passes for c in found):.2f}" if found else NOT_RUN)
                n_bytes = max((c.n_bytes for c in found), default=n_bytes)
            yield [method, *shown, size(n_bytes)]

    def training(self) -> Iterator[list[str]]:
        for text, n in self.each():
            natural = self.find(text, NATURAL, n)
            for method in TRAINED:
                cell = self.find(text, method, n)
                if cell is None or natural is None:
                    continue
                unit = cell.forward * n
                epochs = [f"{exp(loss):.1f} ({seconds / unit:.1f})" for seconds, loss in cell.curve]
                reached = seconds_to(cell, natural.loss)
                yield [
                    text,
                    f"{n * WINDOW:,}",
                    method,
                    f"{cell.rate:g}",
                    ", ".join(epochs),
                    f"{natural.perplexity:.1f} ({natural.passes:.1f})",
                    f"{reached / unit:.1f}" if reached else "never",
                ]

    def forgetting(self) -> list[str]:
        lines = []
        for method in METHODS:
            rows = []
            for text in self.texts:
                cell = self.find(text, method, self.sizes[1])
                if cell is not None and cell.elsewhere:
                    rows.append([text, *(self.elsewhere(cell, other) for other in self.texts)])
            if rows:
                lines += table([f"{method}: learned", *self.texts], rows)
        return lines

    def elsewhere(self, cell: Cell, other: str) -> str:
        """Return the perplexity of another text, beside the frozen model's on the same windows."""
        if other == cell.text:
            return "itself"
        losses = cell.elsewhere[other]
        before = mean(self.frozen(other).losses[: len(losses)])
        return f"{exp(mean(losses)):.1f} ({exp(before):.1f})"


def seconds_to(cell: Cell, loss: float) -> float | None:
    """Return the seconds of the first epoch that was as good, or None."""
    return next((seconds for seconds, reached in cell.curve if reached <= loss), None)
