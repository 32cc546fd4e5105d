"""The evidence for a change in a stream, as an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from faast._utils.imports import import_optional
from faast.estimators.monitor import DriftMonitor


def draw_evidence(monitor: DriftMonitor, path: Path) -> None:
    """Draw the evidence of a monitor against the rows of the stream into an image file.

    Parameters
    ----------
    monitor : DriftMonitor
    path : Path
        See `check_plot`.
    """
    figure_type = import_optional("matplotlib.figure", "plots").Figure
    figure = figure_type(figsize=(7.0, 3.0), layout="constrained")
    axes = figure.add_subplot()
    evidence = monitor.evidence
    axes.plot(np.arange(1, len(evidence) + 1), evidence, color="black")
    axes.axhline(1.0, color="tab:red", linestyle="--", label="alarm")
    if monitor.alarm is not None:
        axes.plot(monitor.alarm.row + 1, evidence[monitor.alarm.row], "o", color="tab:red")
    axes.set(xlabel="row of the stream", ylabel="evidence for a change", ylim=(0.0, None))
    axes.legend(loc="upper left")
    figure.savefig(path)
