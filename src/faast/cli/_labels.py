"""Labels of files and of other models, matched to the classes of a model."""

from __future__ import annotations

import shlex
from collections.abc import Hashable, Sequence
from pathlib import Path

import typer

from faast import FaastClassifier
from faast.cli._output import escape_controls
from faast.data.labels import find_look_alikes, match_labels

SHOWN_NOTES = 5
"""Groups of look-alike classes that are pointed out."""


def labels_of_classes(
    classifier: FaastClassifier, labels: Sequence[Hashable] | None
) -> list[Hashable]:
    """Return labels read from a file as the classes that they name, directly or by an alias."""
    aliases = classifier.class_aliases_
    matched = match_labels(labels or [], [*classifier.classes_.tolist(), *aliases])
    return [aliases.get(label, label) for label in matched]


def warn_of_look_alikes(classifier: FaastClassifier, path: Path) -> None:
    """Point out on standard error which classes differ only in form, and how to merge them.

    Parameters
    ----------
    classifier : FaastClassifier
    path : Path
        The model file that a command would change.
    """
    if classifier.learned_ is None:
        return
    found = find_look_alikes(classifier.classes_.tolist())
    for group in found[:SHOWN_NOTES]:
        words = " ".join(_word(label, group) for label in group)
        into = _word(group[-1], group)
        typer.echo(
            f"note: the classes {', '.join(map(repr, group))} differ only in form; if they are "
            f"one, run: faast classes merge {shlex.quote(str(path))} {escape_controls(words)} "
            f"--into {escape_controls(into)}",
            err=True,
        )
    if len(found) > SHOWN_NOTES:
        typer.echo(f"note: {len(found) - SHOWN_NOTES} more groups of classes look alike", err=True)
    kinds = {isinstance(label, str): label for label in classifier.classes_.tolist()}
    if not found and len(kinds) == 2:
        typer.echo(
            f"note: some classes are numbers ({kinds[False]!r}), others names ({kinds[True]!r}); "
            "if a number stands for a name, make them one with: faast classes merge",
            err=True,
        )


def _word(label: Hashable, group: Sequence[Hashable]) -> str:
    """Write a label as a word of a command line, in double quotes if a number looks like it."""
    is_text = isinstance(label, str)
    twin = is_text and any(not isinstance(other, str) and str(other) == label for other in group)
    return shlex.quote(f'"{label}"' if twin else str(label))


def unify_classes(first: FaastClassifier, second: FaastClassifier) -> None:
    """Rename the classes of the second classifier to those of the first that they name."""
    labels = second.classes_.tolist()
    renamed = match_labels(labels, first.classes_.tolist())
    changed = {old: new for old, new in zip(labels, renamed, strict=True) if old is not new}
    if changed:
        second.rename_classes(changed)
