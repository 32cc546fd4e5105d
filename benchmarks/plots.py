"""Accuracy against something, one panel a group."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt


def accuracy_against(
    label: str,
    panels: dict[str, dict[str, list[tuple[float, float]]]],
    path: Path,
    *,
    ours: str,
) -> None:
    """Draw one line a method through its (x, accuracy) points, ours on top."""
    figure, axes = plt.subplots(
        1, len(panels), figsize=(5 * len(panels), 5.5), layout="constrained", squeeze=False
    )
    methods = list(dict.fromkeys(method for lines in panels.values() for method in lines))
    colours = dict(zip(methods, plt.get_cmap("tab20").colors, strict=False))
    handles = {}
    for axis, (title, lines) in zip(axes[0], panels.items(), strict=True):
        for method, points in lines.items():
            main = method == ours
            (handles[method],) = axis.plot(
                *zip(*points, strict=True),
                color="black" if main else colours[method],
                linewidth=2.5 if main else 1.2,
                marker="o" if main else ".",
                zorder=3 if main else 2,
            )
        axis.set(title=title, xlabel=label, xscale="log")
        axis.grid(alpha=0.3)
    if label.startswith("rows"):
        for axis in axes[0]:
            ticks = sorted({x for line in axis.lines for x in line.get_xdata()})
            axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axis.minorticks_off()
    axes[0, 0].set_ylabel("accuracy (%)")
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=min(8, len(handles)))
    figure.savefig(path, dpi=110)
    plt.close(figure)
