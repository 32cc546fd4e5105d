"""The tables of results/lm/gemma.md."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp
from statistics import mean

from benchmarks._lib.report import plus_minus, size, table, verdict
from benchmarks.lm.gemma_cells import Cell, Cells
from benchmarks.lm.gemma_methods import (
    BOTH,
    EXACT,
    FROZEN,
    IN_CONTEXT,
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
PAIRS = (
    (NATURAL, FROZEN),
    (NATURAL, PROJECTION),
    (BOTH, NATURAL),
    (BOTH, NEAREST),
    (BOTH, IN_CONTEXT),
)


class Tables:
    """Tables of cells, at some numbers of windows learned."""

    def __init__(self, cells: Cells, sizes: Sequence[int]) -> None:
        self.cells = cells
        self.sizes = sizes
        self.texts = sorted({cell.text for cell in cells.cells})

    def frozen(self, text: str) -> Cell:
        """Return the cell of the model as it is."""
        found = self.cells.best(text, FROZEN, 0)
        if found is None:
            raise ValueError(f"the frozen model has not been asked {text}")
        return found

    def find(self, text: str, method: str, n_windows: int) -> Cell | None:
        """Return the best cell of a method; the frozen model's is the same for all sizes."""
        return self.cells.best(text, method, 0 if method == FROZEN else n_windows)

    def pair(self, text: str, first: str, second: str, n_windows: int) -> tuple[Cell, Cell] | None:
        """Return the cells of two methods, or None where one was not run."""
        mine, theirs = self.find(text, first, n_windows), self.find(text, second, n_windows)
        return None if mine is None or theirs is None else (mine, theirs)

    def each(self) -> Iterator[tuple[str, int]]:
        """Return every text with every size."""
        return ((text, n) for text in self.texts for n in self.sizes)

    def targets(self) -> Iterator[list[object]]:
        for method in (NATURAL, BOTH):
            for n in self.sizes:
                goal = f"{n * WINDOW:,} tokens: {method} at or below the projection's best epoch on three of four texts"
                yield [goal, *self.won(method, PROJECTION, n)]
        for method in OURS:
            yield [f"{method}: never more than 0.5% worse than frozen", *self.worst(method)]
        passes = [c.passes for text, n in self.each() if (c := self.find(text, EXACT, n))]
        if passes:
            goal = f"{EXACT}: learns and chooses its settings within 2 forward passes"
            yield [goal, f"{max(passes):.2f} at most", verdict(max(passes) <= 2)]
        for text, n in self.each():
            if pair := self.pair(text, NATURAL, LORA, n):
                ours, lora = pair
                reached = seconds_to(lora, ours.loss)
                share = ours.seconds / (reached or lora.curve[-1][1])
                goal = f"{text}, {n * WINDOW:,} tokens: natural within 10% of LoRA's time to its perplexity"
                shown = f"{'' if reached else '< '}{share:.0%}"
                yield [goal, shown, verdict(share <= 0.1)]

    def won(self, method: str, rival: str, n_windows: int) -> tuple[str, str]:
        """Return on how many texts a method is as good as a rival, and whether on three of four."""
        pairs = [self.pair(text, method, rival, n_windows) for text in self.texts]
        both = [pair for pair in pairs if pair is not None]
        won = sum(ours.loss <= theirs.loss for ours, theirs in both)
        may_win = won + len(self.texts) - len(both)
        met = won >= 3 if won >= 3 or may_win < 3 else None
        return f"{won} of {len(both)} that were run", verdict(met)

    def worst(self, method: str) -> tuple[str, str]:
        """Return where a method is worst beside the frozen model, and whether that is near enough."""
        found = [cell for text, n in self.each() if (cell := self.find(text, method, n))]
        if not found:
            return NOT_RUN, verdict(None)
        gaps = [(cell.gap(self.frozen(cell.text)), cell) for cell in found]
        (gap, half), worst = max(gaps, key=lambda each: each[0][0])
        shown = (
            f"{exp(gap):.3f} ±{exp(gap) * half:.3f} of frozen at most ({worst.text}, "
            f"{worst.n_windows * WINDOW:,} tokens), of {len(found)} that were run"
        )
        met = exp(gap) <= WORST
        everywhere = {cell.text for cell in found} == set(self.texts)
        return shown, verdict(met if everywhere or not met else None)

    def perplexities(self, text: str) -> list[str]:
        rows = []
        for method in METHODS:
            rows.append([method, *(self.perplexity(text, method, n) for n in self.sizes)])
        header = [text, *(f"{n * WINDOW:,} tokens" for n in self.sizes)]
        return table(header, rows)

    def perplexity(self, text: str, method: str, n_windows: int) -> str:
        cell = self.find(text, method, n_windows)
        return f"{cell.perplexity:.1f}" if cell else NOT_RUN

    def differences(self) -> Iterator[list[str]]:
        for text, n in self.each():
            row = [text, f"{n * WINDOW:,}"]
            for first, second in PAIRS:
                pair = self.pair(text, first, second, n)
                row.append(plus_minus(*pair[0].gap(pair[1]), 3, sign=True) if pair else NOT_RUN)
            if set(row[2:]) != {NOT_RUN}:
                yield row

    def costs(self) -> Iterator[list[str]]:
        for method in METHODS:
            if method == FROZEN:
                continue
            found = [
                [c for text in self.texts if (c := self.find(text, method, n))] for n in self.sizes
            ]
            yield [
                method,
                *(f"{mean(c.passes for c in cells):.2f}" if cells else NOT_RUN for cells in found),
                *(size(max(c.n_bytes for c in cells)) if cells else NOT_RUN for cells in found),
            ]

    def training(self) -> Iterator[list[str]]:
        for text, n in self.each():
            for method in TRAINED:
                cell = self.find(text, method, n)
                if cell is None:
                    continue
                pair = self.pair(text, NATURAL, method, n)
                natural = pair[0] if pair else None
                unit = cell.forward * n
                curve = [
                    f"{epochs:g}: {exp(loss):.1f} ({seconds / unit:.1f})"
                    for epochs, seconds, loss in cell.curve
                ]
                reached = seconds_to(cell, natural.loss) if natural else None
                yield [
                    text,
                    f"{n * WINDOW:,}",
                    method,
                    f"{cell.rate:g}",
                    ", ".join(curve),
                    f"{natural.perplexity:.1f} ({natural.passes:.1f})" if natural else NOT_RUN,
                    f"{reached / unit:.1f}" if reached else "never" if natural else NOT_RUN,
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
    """Return the seconds until training was first asked and was as good, or None."""
    return next((seconds for _, seconds, reached in cell.curve if reached <= loss), None)
