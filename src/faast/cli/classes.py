"""`faast classes`: rename, merge, split, alias and order the classes of a model."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Annotated, Any

import typer

from faast import FaastClassifier
from faast.cli._columns import ColumnOrder
from faast.cli._command import add_command
from faast.cli._examples import EXAMPLES
from faast.cli._labels import (
    class_named,
    labels_of_classes,
    match_word,
    warn_of_look_alikes,
)
from faast.cli._model import hold_model, load_classifier, open_encoder, solve_and_save
from faast.cli._options import READING, Json, Model, OtherOutput, Reading, rows_argument
from faast.cli._output import check_model_output, emit_saved
from faast.cli._rows import name_source, open_source, read_batches

HELP = """Rename, merge, split, alias and order the classes of a model.

The result is that of learning the rows with the new labels. Every change is kept in the file;
'faast inspect' shows it.
"""

app = typer.Typer(help=HELP, no_args_is_help=True)


def _label_argument(metavar: str, help: str) -> Any:
    return typer.Argument(metavar=metavar, help=help, show_default=False)


def rename(
    model: Model,
    old: Annotated[str, _label_argument("OLD", "Class to rename.")],
    new: Annotated[str, _label_argument("NEW", "Its new label.")],
    merge: Annotated[
        bool, typer.Option("--merge", help="If NEW is a class already, make the two one class.")
    ] = False,
    output: OtherOutput = None,
    json: Json = False,
) -> None:
    """Give a class another label."""

    def change(classifier: FaastClassifier) -> None:
        before, after = class_named(classifier, old), class_named(classifier, new)
        known = classifier.classes_.tolist()
        if before in known and before == after:
            raise ValueError(f"{before!r} is the label of this class already; choose another")
        if before in known and after in known and merge:
            classifier.merge_classes([before], into=after)
        elif before in known and after in known:
            raise ValueError(
                f"{after!r} is a class already; with --merge its rows and those of {before!r} "
                "become one class, otherwise choose another label"
            )
        else:
            classifier.rename_classes({before: after})

    _change(model, output, json, change)


def merge(
    model: Model,
    labels: Annotated[list[str], _label_argument("CLASS...", "Classes to make one.")],
    into: Annotated[str, typer.Option("--into", help="Label of the merged class, new or known.")],
    output: OtherOutput = None,
    json: Json = False,
) -> None:
    """Make several classes one."""

    def change(classifier: FaastClassifier) -> None:
        merged = [class_named(classifier, label) for label in labels]
        classifier.merge_classes(merged, class_named(classifier, into))

    _change(model, output, json, change)


def split(
    model: Model,
    label: Annotated[str, _label_argument("CLASS", "Class that the rows were learned with.")],
    data: Annotated[str, rows_argument("DATA", "Rows of that class with their new labels")],
    output: OtherOutput = None,
    reading: Reading = READING,
    json: Json = False,
) -> None:
    """Give rows of a class other labels; its other rows stay."""

    def change(classifier: FaastClassifier) -> None:
        open_encoder(classifier)
        source = open_source(classifier, data, reading)
        rows: list[Any] = []
        new: list[Hashable] = []
        with name_source(source):
            for batch in read_batches(source, "Reading", ColumnOrder(classifier)):
                rows += batch.rows
                new += labels_of_classes(classifier, batch.labels)
            classifier.split_class(class_named(classifier, label), rows, new)

    _change(model, output, json, change, data)


def alias(
    model: Model,
    name: Annotated[str, _label_argument("ALIAS", "Label that stands for the class.")],
    label: Annotated[str | None, _label_argument("CLASS", "The class.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the alias.")] = False,
    output: OtherOutput = None,
    json: Json = False,
) -> None:
    """Let another label stand for a class in rows that are learned, forgotten or evaluated."""
    if remove == (label is not None):
        raise ValueError("name the class that the alias stands for, or remove it with --remove")

    def change(classifier: FaastClassifier) -> None:
        known = list(classifier.class_aliases_) if remove else classifier.classes_.tolist()
        target = None if label is None else class_named(classifier, label)
        classifier.alias_classes({match_word(name, known): target})

    _change(model, output, json, change)


def order(
    model: Model,
    labels: Annotated[
        list[str] | None,
        _label_argument("[CLASS...]", "Classes to show first; without any, all are sorted."),
    ] = None,
    output: OtherOutput = None,
    json: Json = False,
) -> None:
    """Choose the order in which reports show the classes."""

    def change(classifier: FaastClassifier) -> None:
        classifier.order_classes([class_named(classifier, label) for label in labels or []])

    _change(model, output, json, change)


def _change(
    model: Path,
    output: Path | None,
    json: bool,
    change: Callable[[FaastClassifier], None],
    *inputs: str,
) -> None:
    """Load a model, change its classes, save it and report what the change was."""
    output = output or model
    check_model_output(output, *inputs)
    with hold_model(output):
        classifier = load_classifier(model)
        before = len(classifier.class_history_)
        change(classifier)
        solve_and_save(classifier, output)
    made = classifier.class_history_[before:]
    facts: dict[str, Any] = {"model": str(output), "classes": len(classifier.classes_)}
    if json:
        facts["changes"] = [change._asdict() for change in made]
    else:
        facts["change"] = [str(change) for change in made]
    warn_of_look_alikes(classifier, output)
    emit_saved(facts, json, output)


for command in (rename, merge, split, alias, order):
    add_command(app, command, EXAMPLES[f"classes {command.__name__}"])
