"""What speaks for a label and against it: coloured in the terminal, or as an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.text import Text

from faast._utils.imports import import_optional
from faast.cli._output import escape_controls, show_table
from faast.data.images import read_image
from faast.estimators.evidence import Evidence

SHOWN_PARTS = 12
"""Parts of largest effect that are listed and drawn."""

BAR = 20
"""Characters of the longest bar."""


def show_evidence(evidence: Evidence, *, as_text: bool) -> None:
    """Write the parts of largest effect as a table, and on a terminal the text in colours.

    Parameters
    ----------
    evidence : Evidence
    as_text : bool
        Whether the parts are the words of a text, in their order.
    """
    parts = evidence.strongest(SHOWN_PARTS)
    largest = max((abs(part.effect) for part in parts), default=0.0) or 1.0
    console = Console(markup=False, emoji=False, highlight=False)
    if as_text and console.is_terminal:
        words = Text()
        for part in evidence.parts:
            words.append(escape_controls(part.name), style=_style(part.effect / largest)).append(
                " "
            )
        console.print(words)
    rows = [
        [
            part.name,
            f"{part.effect:+.3f}",
            ("+" if part.effect > 0 else "-") * _length(part, largest),
        ]
        for part in parts
    ]
    against = "its absence" if evidence.against is None else repr(evidence.against)
    columns = ["part", "effect", "bar"]
    show_table(f"for {evidence.label!r} (+) and for {against} (-)", columns, rows)


def draw_evidence(evidence: Evidence, path: Path, image: str | None = None) -> None:
    """Draw the parts into an image file: as bars, or as colours over the image.

    Parameters
    ----------
    evidence : Evidence
    path : Path
        See `faast.cli._confusion.check_plot`.
    image : str, optional
        Path of the image whose regions the parts are.
    """
    figure_type = import_optional("matplotlib.figure", "plots").Figure
    figure = figure_type(figsize=(5.5, 4.5), layout="constrained")
    axes = figure.add_subplot()
    against = "its absence" if evidence.against is None else f"{evidence.against}"
    title = escape_controls(f"for {evidence.label} (blue), for {against} (red)")
    axes.set_title(title, parse_math=False)
    effects = np.array([part.effect for part in evidence.parts])
    largest = float(np.abs(effects).max(initial=0.0)) or 1.0
    if image is not None:
        axes.imshow(np.asarray(read_image(image)), extent=(0, 1, 1, 0))
        axes.imshow(
            effects.reshape(evidence.shape),
            extent=(0, 1, 1, 0),
            cmap="RdBu",
            vmin=-largest,
            vmax=largest,
            alpha=0.55,
        )
        axes.set_axis_off()
    else:
        parts = evidence.strongest(SHOWN_PARTS)[::-1]
        names = [escape_controls(part.name) for part in parts]
        shown = np.array([part.effect for part in parts])
        axes.barh(range(len(parts)), shown, color=np.where(shown > 0, "tab:blue", "tab:red"))
        axes.set_yticks(range(len(parts)), names, parse_math=False)
        axes.axvline(0.0, color="black", linewidth=0.8)
        axes.set_xlabel("effect on the lead, nats")
    figure.savefig(path)


def _style(share: float) -> str:
    """Return the colour of a word: green for the label, red against it, dim where it is small."""
    colour = "green" if share > 0 else "red"
    if abs(share) < 0.1:
        return "dim"
    return f"bold {colour}" if abs(share) > 0.5 else colour


def _length(part: tuple[str, float], largest: float) -> int:
    return round(BAR * abs(part[1]) / largest)
