"""The curve of accuracy against coverage, as a table in the terminal or as an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from faast._utils.imports import import_optional
from faast.cli._output import show_table
from faast.evaluation.selective import CoverageCurve

SHOWN = (1.0, 0.9, 0.8, 0.7, 0.5, 0.3)
"""Coverages that the table shows."""


def show_coverage(curve: CoverageCurve) -> None:
    """Write the curve at a few coverages as a table."""
    places = dict.fromkeys(int(np.abs(curve.coverage - share).argmin()) for share in SHOWN)
    rows = [
        [f"{curve.coverage[i]:.0%}", f"{curve.accuracy[i]:.4f}", f"{curve.probability[i]:.4f}"]
        for i in places
    ]
    columns = ["rows answered", "accuracy", "least probability"]
    show_table("accuracy if the least sure rows get no answer", columns, rows)


def draw_coverage(curve: CoverageCurve, path: Path) -> None:
    """Draw the curve into an image file; see `faast.cli._confusion.check_plot`."""
    figure_type = import_optional("matplotlib.figure", "plots").Figure
    figure = figure_type(figsize=(5.5, 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(100 * curve.coverage, 100 * curve.accuracy, marker="o", markersize=3)
    axes.set_xlabel("rows that get an answer, %")
    axes.set_ylabel("right answers, %")
    axes.set_xlim(0, 102)
    axes.grid(alpha=0.3)
    figure.savefig(path)
