"""Lines of methods against something, one panel a group."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

COLUMNS = 4


def lines_against(
    label: str,
    panels: dict[str, dict[str, list[tuple[float, float]]]],
    path: Path,
    *,
    ours: str,
    what: str = "",
    scale: str = "log",
    every_tick: bool = False,
) -> None:
    """Draw one line a method through its points, ours on top.

    Parameters
    ----------
    label, what : str
        Of the two axes; the first is logarithmic.
    panels : dict of title to dict of method to points
    path : Path
    ours : str
        Drawn in black.
    scale : str
        Of the second axis.
    every_tick : bool
        Number the points themselves, where they are few and the same in all panels.
    """
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure, grid = plt.subplots(
        rows,
        columns,
        figsize=(5 * columns, 4.5 * rows + 1),
        layout="constrained",
        squeeze=False,
    )
    axes = grid.ravel()[: len(panels)]
    for spare in grid.ravel()[len(panels) :]:
        spare.axis("off")
    methods = list(dict.fromkeys(method for lines in panels.values() for method in lines))
    colours = dict(zip(methods, plt.get_cmap("tab20").colors, strict=False))
    handles = {}
    for axis, (title, lines) in zip(axes, panels.items(), strict=True):
        for method, points in lines.items():
            main = method == ours
            (handles[method],) = axis.plot(
                *zip(*points, strict=True),
                color="black" if main else colours[method],
                linewidth=2.5 if main else 1.2,
                marker="o" if main else ".",
                zorder=3 if main else 2,
            )
        axis.set(title=title, xlabel=label, xscale="log", yscale=scale)
        axis.grid(alpha=0.3)
        if every_tick:
            ticks = sorted({x for line in axis.lines for x in line.get_xdata()})
            axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.minorticks_off()
    for axis in grid[:, 0]:
        axis.set_ylabel(what)
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=min(8, len(handles)))
    figure.savefig(path, dpi=110)
    plt.close(figure)
