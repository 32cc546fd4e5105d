"""`faast relabel`: give learned rows other labels, as if they had been learned with them."""

from __future__ import annotations

import csv
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from faast import FaastClassifier
from faast.cli._columns import ColumnOrder
from faast.cli._labels import labels_of_classes
from faast.cli._model import (
    count_rows,
    hold_model,
    load_classifier,
    open_encoder,
    solve_and_save,
)
from faast.cli._options import READING, Json, Model, OtherOutput, Reading, rows_argument
from faast.cli._output import check_model_output, check_output, emit_saved
from faast.cli._rows import name_source, open_source, read_batches
from faast.core.atomic_files import remove_leftovers, temporary_beside
from faast.data import Batch, RowSource
from faast.data.labels import parse_label

NEW_LABEL = "suggested"
"""Column of the corrections with the new labels, as `faast suspects` names it."""


class Correction(NamedTuple):
    """The label of a row in the data and its new one; None forgets the row."""

    old: Hashable
    new: Hashable | None


def relabel(
    model: Model,
    train: Annotated[str, rows_argument("TRAIN", "Rows that the model learned, with their labels")],
    corrections: Annotated[
        Path,
        typer.Argument(
            metavar="CORRECTIONS",
            help="CSV as faast suspects writes it: the number of a row in TRAIN, its label, and "
            "the new one in the column suggested. Where that cell is empty, the row is forgotten.",
            show_default=False,
        ),
    ],
    output: OtherOutput = None,
    table: Annotated[
        Path | None, typer.Option(help="CSV file to write: the rows of TRAIN, corrected.")
    ] = None,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Correct the labels of learned rows, exactly.

    The model becomes what it would be had it learned the new labels at once. Nothing is saved
    unless every correction fits a row of TRAIN.
    """
    output = output or model
    check_model_output(output, train, corrections)
    if table is not None:
        check_output(table, model, output, train, corrections)
    with hold_model(output):
        classifier = load_classifier(model)
        open_encoder(classifier)
        source = open_source(classifier, train, reading)
        wanted = _read_corrections(corrections, source.reader.unit)
        left, changed = dict(wanted), [0, 0]
        with name_source(source), _corrected_table(table, classifier, source) as write:
            for batch in read_batches(source, "Correcting", ColumnOrder(classifier)):
                places = [i for i, number in enumerate(batch.numbers) if number in left]
                chosen = {i: left.pop(batch.numbers[i]) for i in places}
                for i, n_rows in enumerate(_apply(classifier, source, batch, chosen)):
                    changed[i] += n_rows
                write(batch, chosen)
            if left:
                raise ValueError(
                    f"{corrections}: there is no {source.reader.unit} {min(left)} of rows in "
                    f"{train}"
                )
            if not classifier.n_rows_:
                raise ValueError("nothing would be left of the model; delete its file instead")
            solve_and_save(classifier, output)
    emit_saved(
        {
            "model": str(output),
            "rows_relabelled": changed[0],
            "rows_forgotten": changed[1],
            "rows_skipped": source.skipped,
            "rows": count_rows(classifier),
            "classes": len(classifier.classes_),
        },
        json,
        output,
    )


def _read_corrections(path: Path, unit: str) -> dict[int, Correction]:
    """Read the corrections by the number of their row."""
    found: dict[int, Correction] = {}
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream, strict=True)
        needed = [unit, "label", NEW_LABEL]
        missing = [name for name in needed if name not in (reader.fieldnames or [])]
        if missing:
            raise ValueError(
                f"{path} has no column {missing[0]!r}; corrections need the columns "
                f"{', '.join(needed)}, as faast suspects writes them"
            )
        for record in reader:
            where = f"{path}, line {reader.line_num}"
            try:
                number, new = int(record[unit] or ""), (record[NEW_LABEL] or "").strip()
                correction = Correction(
                    parse_label(record["label"]), parse_label(new) if new else None
                )
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from error
            if number in found:
                raise ValueError(f"{where}: {unit} {number} is corrected twice")
            found[number] = correction
    return found


def _apply(
    classifier: FaastClassifier, source: RowSource, batch: Batch, chosen: dict[int, Correction]
) -> tuple[int, int]:
    """Relabel and forget rows of a batch; return how many of each."""
    labels = batch.labels or []
    matched = labels_of_classes(classifier, labels)
    for place, correction in chosen.items():
        if labels_of_classes(classifier, [correction.old]) != [matched[place]]:
            raise ValueError(
                f"{source.reader.unit} {batch.numbers[place]} has the label {labels[place]!r}, the "
                f"corrections say {correction.old!r}; they must be of this file"
            )
    relabelled = [place for place, correction in chosen.items() if correction.new is not None]
    forgotten = [place for place, correction in chosen.items() if correction.new is None]
    if relabelled:
        new = labels_of_classes(classifier, [chosen[place].new for place in relabelled])
        classifier.relabel(
            [batch.rows[i] for i in relabelled], [matched[i] for i in relabelled], new
        )
    if forgotten:
        classifier.forget([batch.rows[i] for i in forgotten], [matched[i] for i in forgotten])
    return len(relabelled), len(forgotten)


@contextmanager
def _corrected_table(
    path: Path | None, classifier: FaastClassifier, source: RowSource
) -> Iterator[Any]:
    """Yield a function that writes the rows of a batch with their new labels to a CSV file.

    The file appears when all went well.
    """
    if path is None:
        yield lambda batch, chosen: None
        return
    path = path.resolve()
    remove_leftovers(path)
    with temporary_beside(path) as (unfinished, _):
        with unfinished.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            header: list[str] = []

            def write(batch: Batch, chosen: dict[int, Correction]) -> None:
                if not header:
                    header.extend(_header(classifier, source, batch))
                    writer.writerow([*header, "label"])
                for place, label in enumerate(batch.labels or []):
                    correction = chosen.get(place, Correction(label, label))
                    if correction.new is not None:
                        writer.writerow([*_cells(batch.rows[place]), correction.new])

            yield write
        unfinished.replace(path)


def _header(classifier: FaastClassifier, source: RowSource, batch: Batch) -> list[str]:
    if classifier.modality != "features":
        return [classifier.modality]
    return source.feature_names or [f"f{i}" for i in range(len(batch.rows[0]))]


def _cells(row: Any) -> list[Any]:
    return row.tolist() if isinstance(row, np.ndarray) else [row]
