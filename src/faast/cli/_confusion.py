"""A confusion matrix, as a table in the terminal or as an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from faast._utils.arrays import IntArray
from faast._utils.imports import import_optional
from faast.cli._output import escape_controls, show_table

TABLE_CLASSES = 12
"""Up to this many classes the whole matrix is shown as a table."""

MOST_CONFUSED = 10
"""Pairs of classes that are listed when the matrix is too large for a table."""

NUMBERED_CLASSES = 20
"""Up to this many classes the image shows the number of rows in every cell."""


def show_confusion(confusion: IntArray, classes: Sequence[Any]) -> None:
    """Write the matrix as a table, or the most confused pairs if there are many classes.

    Parameters
    ----------
    confusion : ndarray of shape (C, C), int
        Rows are true classes, columns predicted ones.
    classes : sequence of length C
    """
    names = [str(label) for label in classes]
    if len(names) <= TABLE_CLASSES:
        cells = [[name, *map(str, row)] for name, row in zip(names, confusion, strict=True)]
        show_table("confusions", ["true, down; predicted, across", *names], cells)
        return
    errors = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-errors, axis=None, kind="stable")[:MOST_CONFUSED]
    pairs = [divmod(int(cell), len(names)) for cell in order]
    rows = [[names[i], names[j], str(errors[i, j])] for i, j in pairs if errors[i, j]]
    if rows:
        show_table("most confused", ["true", "predicted", "rows"], rows)
    Console(stderr=True).print("for the whole matrix use --json or --plot FILE")


def check_plot(path: Path) -> None:
    """Check that an image can be drawn into a file of this name.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If matplotlib cannot write the format that the suffix names.
    """
    canvas = import_optional("matplotlib.backend_bases", "plots").FigureCanvasBase
    formats = sorted(canvas.get_supported_filetypes())
    if path.suffix.lower().removeprefix(".") not in formats:
        raise ValueError(f"{path} must end in one of .{', .'.join(formats)}")


def draw_confusion(confusion: IntArray, classes: Sequence[Any], path: Path) -> None:
    """Draw the matrix into an image file; colours show shares of the true class.

    Parameters
    ----------
    confusion : ndarray of shape (C, C), int
        Rows are true classes, columns predicted ones.
    classes : sequence of length C
    path : Path
        See `check_plot`.
    """
    figure_type = import_optional("matplotlib.figure", "plots").Figure
    is_numbered = len(classes) <= NUMBERED_CLASSES
    side = min(max(3.0, 0.35 * len(classes)), 20.0)
    figure = figure_type(figsize=(side + 1.5, side + 1.0), layout="constrained")
    axes = figure.add_subplot()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    figure.colorbar(image, ax=axes, label="share of the true class")
    ticks, names = range(len(classes)), [escape_controls(str(label)) for label in classes]
    style = {"fontsize": 8 if is_numbered else 5, "parse_math": False}
    axes.set_xticks(ticks, names, rotation=90, **style)
    axes.set_yticks(ticks, names, **style)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if is_numbered:
        for (i, j), count in np.ndenumerate(confusion):
            colour = "white" if shares[i, j] > 0.5 else "black"
            axes.text(j, i, str(count), ha="center", va="center", color=colour, **style)
    figure.savefig(path)
