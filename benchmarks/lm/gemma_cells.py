"""What was measured on Gemma, cell by cell: kept in results/lm/gemma.json as the run goes on."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from math import exp
from pathlib import Path
from statistics import mean, stdev
from typing import Self


@dataclass(frozen=True)
class Cell:
    """One method on one text, after some windows.

    Attributes
    ----------
    text, method : str
    n_windows : int
        Windows learned.
    losses : list of float
        Mean loss of each window that was asked.
    seconds, forward : float
        To learn and to be ready; a forward pass over one window, measured just before.
    n_bytes : int
        Kept beside the model.
    rate : float or None
        Learning rate, of trained methods.
    curve : list of (float, float, float)
        Epochs and seconds of training, and mean loss then.
    elsewhere : dict of str to list of float
        Losses on windows of other texts.
    dtype : str
        Of the model's numbers.
    """

    text: str
    method: str
    n_windows: int
    losses: list[float]
    seconds: float
    forward: float
    n_bytes: int
    rate: float | None = None
    curve: list[tuple[float, float, float]] = field(default_factory=list)
    elsewhere: dict[str, list[float]] = field(default_factory=dict)
    dtype: str = "bfloat16"

    @property
    def loss(self) -> float:
        """Mean over the windows."""
        return mean(self.losses)

    @property
    def perplexity(self) -> float:
        """Exponential of the mean loss."""
        return exp(self.loss)

    @property
    def passes(self) -> float:
        """Seconds in forward passes over what was learned."""
        return self.seconds / (self.forward * self.n_windows)

    def gap(self, other: Self) -> tuple[float, float]:
        """Difference in mean loss, and half the 95% interval of the differences by window."""
        gaps = [mine - theirs for mine, theirs in zip(self.losses, other.losses, strict=True)]
        return mean(gaps), 1.96 * stdev(gaps) / len(gaps) ** 0.5


@dataclass
class Cells:
    """All cells, in a file that is written anew with each."""

    file: Path
    cells: list[Cell] = field(default_factory=list)

    @classmethod
    def read(cls, file: Path, dtype: str) -> Self:
        """Read what an earlier run has left; raises ValueError if it is of another dtype."""
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
        cells = [Cell(**each) for each in found]
        if any(cell.dtype != dtype for cell in cells):
            raise ValueError(f"{file} was not measured in {dtype}; start over with --anew")
        return cls(file, cells)

    def add(self, cell: Cell) -> None:
        """Keep one more cell."""
        self.cells.append(cell)
        lines = ",\n".join(json.dumps(asdict(each), ensure_ascii=False) for each in self.cells)
        self.file.write_text(f"[\n{lines}\n]\n", encoding="utf-8")

    def best(self, text: str, method: str, n_windows: int) -> Cell | None:
        """Return the cell of least loss among all learning rates, or None if there is none."""
        place = (text, method, n_windows)
        found = (c for c in self.cells if (c.text, c.method, c.n_windows) == place)
        return min(found, key=lambda cell: cell.loss, default=None)

    def best_rate(self, text: str, method: str) -> float | None:
        """Return the learning rate that was best where a method was first trained on a text."""
        alike = (cell for cell in self.cells if (cell.text, cell.method) == (text, method))
        first = next(alike, None)
        best = self.best(text, method, first.n_windows) if first else None
        return best.rate if best else None
