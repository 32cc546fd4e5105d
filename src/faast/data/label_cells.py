"""Several labels of a row in a file: lists, cells with a separator, and columns of 0 and 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from faast.data.columns import resolve_label
from faast.data.labels import parse_label
from faast.data.reader import WINDOW_ROWS, Reader, Record

SEPARATORS = (";", "|")
"""What may be guessed to separate labels; any other text can be named."""

PLAIN_SHARE = 0.8
"""Share of the separated labels that must occur in other cells too for a separator to be plain."""

Labels = frozenset[Hashable]


def parse_labels(value: Any, separator: str | None) -> Hashable | Labels:
    """Convert a value of a file to a label, or to the set of labels that it holds.

    Parameters
    ----------
    value : object
        A list, a row of 0 and 1 in an array, a text whose labels are separated, or one label.
    separator : str or None
        What separates labels in a text; None reads every text as one label. A blank text then
        stands for no label.

    Returns
    -------
    frozenset of labels; a label if the value is no list and nothing separates labels

    Raises
    ------
    ValueError
        As for `parse_label`, if a label is empty or named twice, or an array holds something other
        than 0 and 1.
    """
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return parse_marks(dict(enumerate(value.tolist())))
    if isinstance(value, list | tuple | np.ndarray):
        return _distinct([parse_label(label) for label in value])
    if separator is None:
        return parse_label(value)
    if not isinstance(value, str):
        return frozenset([parse_label(value)])
    parts = value.split(separator) if value.strip() else []
    if not all(part.strip() for part in parts):
        raise ValueError(
            f"the labels {value!r} hold an empty one beside {separator!r}; remove the separator "
            "that is too many, or name another one (--label-separator)"
        )
    return _distinct([parse_label(part) for part in parts])


def parse_marks(marks: Mapping[Any, Any]) -> Labels:
    """Return the labels, by the names of their columns, that are marked with 1 (or true).

    Raises
    ------
    ValueError
        If a mark is neither 0 nor 1.
    """
    found: list[Hashable] = []
    for name, value in marks.items():
        mark = value if isinstance(value, str) and not value.strip() else parse_label(value)
        if mark not in (0, 1):
            raise ValueError(
                f"column {name!r} holds {value!r}; a column of a label holds 1 where the row has "
                "it, and 0 elsewhere"
            )
        if mark:
            found.append(parse_label(name))
    return frozenset(found)


def guess_separator(reader: Reader, label_column: str | None) -> str | None:
    """Guess what separates labels, from the first rows of a source that can be read again.

    A separator is plain if nearly all labels that it separates occur in several different cells.

    Parameters
    ----------
    reader : Reader
    label_column : str or None
        See `open_rows`.

    Returns
    -------
    str or None
        None if labels are no texts, or no separator is plain.

    Raises
    ------
    DataError
        If the source cannot be read.
    """
    column: str | None = None

    def choose(present: Sequence[str]) -> list[str]:
        nonlocal column
        column = resolve_label(present, label_column)
        column = column if column in present else None
        return [column or present[0]]

    first = islice(reader.records(choose), WINDOW_ROWS)
    cells = [row.fields.get(column) for row in first if isinstance(row, Record) and column]
    texts = {cell for cell in cells if isinstance(cell, str)}
    return next((mark for mark in SEPARATORS if _is_plain(mark, texts)), None)


def _is_plain(separator: str, cells: Iterable[str]) -> bool:
    split = [[part.strip() for part in cell.split(separator)] for cell in cells]
    counts = Counter(part for parts in split for part in set(parts))
    separated = [part for parts in split if len(parts) > 1 for part in parts]
    shared = sum(bool(part) and counts[part] > 1 for part in separated)
    return bool(separated) and shared >= PLAIN_SHARE * len(separated)


def _distinct(labels: list[Hashable]) -> Labels:
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(
                f"the label {label!r} is there twice; name each label once (for a row of 0 and 1, "
                "write the names of the labels that are 1)"
            )
    return frozenset(labels)
