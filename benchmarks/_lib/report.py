"""Pages of results: tables, intervals, and the line that says how a page was made."""

from __future__ import annotations

import csv
import json
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy.stats import t as student


def command_line(module: str) -> str:
    """Return the command that is running, to be told on the page it writes."""
    return " ".join([f"python -m benchmarks.{module}", *sys.argv[1:]])


def provenance(command: str) -> str:
    """Return the command, date, machine and versions behind a page, as one line."""
    versions = [
        f"Python {platform.python_version()}",
        f"numpy {np.__version__}",
        f"scipy {scipy.__version__}",
        f"scikit-learn {sklearn.__version__}",
    ]
    if "torch" in sys.modules:
        versions.append(f"torch {sys.modules['torch'].__version__}")
    return (
        f"`{command}`, {date.today().isoformat()}, {os.cpu_count()} cores (one thread used), "
        f"{', '.join(versions)}."
    )


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    return [*lines, ""]


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        for row in rows:
            writer.writerow(f"{v:.6g}" if isinstance(v, float) else v for v in row)


def write_page(path: Path, lines: Iterable[str]) -> None:
    path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def write_figures(folder: Path, name: str, figures: dict[str, float]) -> None:
    """Write the figures that docs/claims.md states intervals for; see benchmarks.check_claims."""
    (folder / f"{name}.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def stratified(values: np.ndarray) -> tuple[float, float]:
    """Return the mean over sets and draws, and half its 95% interval.

    The variance is the one within sets: sets are fixed, only the draws of the support vary.

    Parameters
    ----------
    values : ndarray of shape (sets, draws)
    """
    n_sets, n_draws = values.shape
    if n_draws < 2:
        return float(values.mean()), np.nan
    error = np.sqrt(values.var(axis=1, ddof=1).sum() / n_draws) / n_sets
    return float(values.mean()), float(student.ppf(0.975, n_sets * (n_draws - 1)) * error)


def plus_minus(mean: float, half: float, digits: int = 1, sign: bool = False) -> str:
    text = f"{mean:{'+' if sign else ''}.{digits}f}"
    return text if np.isnan(half) else f"{text} ±{half:.{digits}f}"


def size(n_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000 or unit == "GB":
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    raise AssertionError


def verdict(met: bool | None) -> str:
    return "not measured" if met is None else "met" if met else "**missed**"
