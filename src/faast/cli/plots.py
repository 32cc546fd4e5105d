"""Pictures of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from faast._typing import IntArray
from faast.optional import require

NUMBERED = 20
"""Classes up to which cells carry their numbers."""


def require_picture(path: Path) -> None:
    """Check that a picture can be drawn into a file.

    Raises
    ------
    ImportError
        matplotlib is not installed.
    ValueError
        It writes no such format.
    """
    canvas = require("matplotlib.backend_bases", "plots").FigureCanvasBase
    formats = sorted(canvas.get_supported_filetypes())
    if path.suffix.lower().removeprefix(".") not in formats:
        raise ValueError(f"{path} must end in one of .{', .'.join(formats)}")


def draw_confusion(confusion: IntArray, classes: Sequence[Any], path: Path) -> None:
    """Draw a confusion matrix, rows scaled to shares of their class.

    Parameters
    ----------
    confusion : ndarray of shape (C, C), int
        Rows are true, columns predicted.
    classes : sequence of length C
    path : path-like
        See `require_picture`.
    """
    figure_type = require("matplotlib.figure", "plots").Figure
    side = min(max(3.0, 0.35 * len(classes)), 20.0)
    figure = figure_type(figsize=(side + 1.5, side + 1.0), layout="constrained")
    axes = figure.add_subplot()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    figure.colorbar(image, ax=axes, label="share of the true class")
    places, names = range(len(classes)), [str(label) for label in classes]
    small = {"fontsize": 8 if len(classes) <= NUMBERED else 5, "parse_math": False}
    axes.set_xticks(places, names, rotation=90, **small)
    axes.set_yticks(places, names, **small)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if len(classes) <= NUMBERED:
        for (i, j), count in np.ndenumerate(confusion):
            colour = "white" if shares[i, j] > 0.5 else "black"
            axes.text(j, i, str(count), ha="center", va="center", color=colour, **small)
    figure.savefig(path)
