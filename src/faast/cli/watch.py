"""`faast watch`: watch a stream of rows for changes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from faast.cli._columns import ColumnOrder
from faast.cli._confusion import check_plot
from faast.cli._model import load_classifier, open_encoder
from faast.cli._options import LINES_OR_CSV, READING, Json, Model, Reading, rows_argument
from faast.cli._output import check_output, emit, escape_controls, format_value, show_table
from faast.cli._rows import name_source, open_source, read_batches
from faast.cli._watching import draw_evidence
from faast.estimators.monitor import DriftMonitor

SHOWN_CLASSES = 10
"""Classes whose share changed most that are listed."""


def watch(
    model: Model,
    stream: Annotated[
        str,
        rows_argument(
            "STREAM", "Rows in the order in which they came; labels are ignored", LINES_OR_CSV
        ),
    ],
    alarm_rate: Annotated[
        float,
        typer.Option(help="Probability that a stream without a change ever raises an alarm."),
    ] = 0.01,
    n: Annotated[
        int, typer.Option("--rows", "-n", min=1, help="Rows to suggest for labelling.")
    ] = 10,
    plot: Annotated[
        Path | None, typer.Option(help="Image file for a plot of the evidence for a change.")
    ] = None,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Watch a stream for rows unlike the learned ones.

    An alarm is raised where rows become more novel, or a class more or less frequent, than among
    the learned rows. The report also names rows of the stream to label next.
    """
    started = time.perf_counter()
    if plot is not None:
        check_output(plot, model, stream)
        check_plot(plot)
    classifier = load_classifier(model)
    open_encoder(classifier)
    monitor = DriftMonitor(classifier, alarm_rate)
    source = open_source(classifier, stream, reading, labelled=False)
    unit, numbers = source.reader.unit, list[int]()
    told = False
    with name_source(source):
        for batch in read_batches(source, "Watching", ColumnOrder(classifier)):
            numbers += batch.numbers
            monitor.watch(batch.rows)
            if monitor.alarm is not None and not told:
                told = True
                typer.echo(f"alarm at {unit} {numbers[monitor.alarm.row]}", err=True)
    alarm = monitor.alarm
    facts: dict[str, Any] = {
        "rows": monitor.n_rows,
        "alarm": alarm is not None,
        "alarm_rate": alarm_rate,
        "evidence": float(monitor.evidence.max(initial=0.0)),
    }
    if alarm is not None:
        facts |= {f"alarm_{unit}": numbers[alarm.row], "changed": alarm.what}
        if alarm.what == "class":
            facts["changed_class"] = alarm.label
    facts[f"{unit}s_to_label"] = [numbers[row] for row in monitor.suggest(n).rows.tolist()]
    facts |= {"rows_skipped": source.skipped, "seconds": time.perf_counter() - started}
    if plot is not None:
        draw_evidence(monitor, plot)
        facts["plot"] = str(plot)
    if json:
        emit(facts | {"shares": [[*share] for share in monitor.shares]}, json)
        return
    emit(facts, json)
    changed = sorted(monitor.shares, key=lambda share: -abs(share.watched - share.learned))
    show_table(
        "shares of classes",
        ["class", "learned", "watched"],
        [
            [escape_controls(format_value(s.label)), f"{s.learned:.1%}", f"{s.watched:.1%}"]
            for s in changed[:SHOWN_CLASSES]
        ],
    )
