"""Labels of files and of other models, matched to the classes of a model."""

from __future__ import annotations

import shlex
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer

from faast import FaastClassifier, FaastRegressor
from faast.cli._model import FaastModel
from faast.cli._output import escape_controls
from faast.data.labels import find_look_alikes, match_labels, parse_label

SHOWN_NOTES = 5
"""Groups of look-alike classes that are pointed out."""


def labels_of_classes(
    classifier: FaastClassifier, labels: Sequence[Hashable] | None
) -> list[Hashable]:
    """Return labels read from a file as the classes that they name, directly or by an alias."""
    aliases = classifier.class_aliases_
    matched = match_labels(labels or [], [*classifier.classes_.tolist(), *aliases])
    return [
        frozenset(aliases.get(one, one) for one in label)
        if isinstance(label, frozenset)
        else aliases.get(label, label)
        for label in matched
    ]


def answers_of(model: FaastModel, read: Sequence[Hashable] | None) -> Any:
    """Return labels read from a file as the classes that they name; numbers as an array."""
    if isinstance(model, FaastRegressor):
        return np.asarray(read, dtype=np.float64)
    return labels_of_classes(model, read)


def class_named(classifier: FaastClassifier, word: str) -> Hashable:
    """Return the class that a word of the command line names, or the label that it stands for."""
    return match_word(word, classifier.classes_.tolist())


def match_word(word: str, known: Sequence[Hashable]) -> Hashable:
    """Match a word to a known label, as labels of files are matched.

    In double quotes it is the text, for models in which 1 and "1" are different classes.
    """
    if word[0:1] == word[-1:] == '"' and word[1:-1] in known:
        return word[1:-1]
    (label,) = match_labels([parse_label(word)], known)
    return label


def warn_of_look_alikes(model: FaastModel, path: Path) -> None:
    """Point out on standard error which classes differ only in form, and how to merge them.

    Parameters
    ----------
    model : FaastClassifier or FaastRegressor
    path : Path
        The model file that a command would change.
    """
    if isinstance(model, FaastRegressor) or model.learned_ is None:
        return
    found = find_look_alikes(model.classes_.tolist())
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
    labels = model.classes_.tolist()
    number = next((label for label in labels if isinstance(label, int | float)), None)
    name = next((label for label in labels if isinstance(label, str)), None)
    if not found and number is not None and name is not None:
        typer.echo(
            f"note: some classes are numbers ({number!r}), others names ({name!r}); "
            "if a number stands for a name, make them one with: faast classes merge",
            err=True,
        )


def _word(label: Hashable, group: Sequence[Hashable]) -> str:
    """Write a label as a word of a command line, in double quotes if a number looks like it."""
    is_text = isinstance(label, str)
    twin = is_text and any(not isinstance(other, str) and str(other) == label for other in group)
    return shlex.quote(f'"{label}"' if twin else str(label))


def merge_models(first: FaastModel, second: FaastModel) -> None:
    """Merge the second model into the first; classes of both that are named alike become one.

    Raises
    ------
    ValueError
        If the models cannot be merged.
    """
    if isinstance(first, FaastClassifier) and isinstance(second, FaastClassifier):
        _unify_classes(first, second)
        first.merge(second)
    elif isinstance(first, FaastRegressor) and isinstance(second, FaastRegressor):
        first.merge(second)
    else:
        raise ValueError("a model that predicts labels cannot be merged with one of numbers")


def _unify_classes(first: FaastClassifier, second: FaastClassifier) -> None:
    """Rename the classes of the second classifier to those of the first that they name."""
    labels = second.classes_.tolist()
    renamed = match_labels(labels, first.classes_.tolist())
    changed = {old: new for old, new in zip(labels, renamed, strict=True) if old is not new}
    if changed:
        second.rename_classes(changed)
