"""What a label read from a file is, and which class of a model it names.

File formats write one label differently: pandas writes 1 as 1.0 once a value is missing, CSV holds
only text, JSON writes true where Python writes True. All formats are therefore read by one rule,
label by label:

- spaces around a label do not count, and composed and decomposed accents (Unicode NFC) are alike;
- a text that spells an integer, with zeros behind a point or without ("7", "7.0"), is that integer,
  and so is a whole float; integers beyond 64 bits are texts;
- "true", "True", "TRUE" and true are one truth value, and so are the spellings of false;
- everything else is text: "007", "1.10" and "yes" stay as they are.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Hashable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from faast.data.cells import check_text

MAX_LABEL_CHARACTERS = 1000
"""Most characters of a label: arrays of labels are as wide as the longest one."""

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})(?:\.0+)?")
_SEPARATORS = re.compile(r"(?<=\w)[\s_-]+(?=\w)")
_INT64 = range(-(2**63), 2**63)
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def parse_label(value: Any) -> str | int | float | bool:
    """Convert a value of a file to the label that it stands for; see the rule above.

    Raises
    ------
    ValueError
        If the label is missing, blank, not finite, too long, or neither a string nor a number.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Decimal):
        value = int(value) if value.is_finite() and value == int(value) else float(value)
    if value is None or value != value:
        raise ValueError("the label is missing; fill it in or leave the row out")
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"the label must be finite, got {value}")
        if not value.is_integer():
            return value
        value = int(value)
    if not isinstance(value, int):
        raise ValueError(f"the label must be a string or a number, got {type(value).__name__}")
    return value if value in _INT64 else str(value)


def normalise_label(text: str) -> str:
    """Return the one form of a label that is a text: without spaces around it, and in NFC."""
    return unicodedata.normalize("NFC", text.strip())


def label_kind(label: Hashable) -> str:
    """Describe the type of a label.

    Python holds True equal to 1, but in one file they are a mistake or different classes.
    """
    if isinstance(label, str):
        return "a string"
    return "true or false" if isinstance(label, bool) else "a number"


def match_labels(labels: Sequence[Hashable], classes: Sequence[Hashable]) -> list[Hashable]:
    """Replace labels read from a file by the classes that they name.

    A label names the class that reads as this label by the rule of `parse_label`: the integer 1
    of a file names the class "1" of a model that was learned with texts, and 1 if the model was
    learned with integers.

    Parameters
    ----------
    labels : sequence
        Labels, or frozensets of labels.
    classes : sequence
        The classes of a model.

    Returns
    -------
    list
        A label that names no class stays as it is, but numbers become texts where all classes are
        texts.
    """
    exact: dict[tuple[str, Hashable], Hashable] = {}  # True and 1 are equal keys of a dictionary
    equal: dict[Hashable, Hashable] = {}
    for label in classes:
        name = _read_class(label)
        exact.setdefault((label_kind(name), name), label)
        equal.setdefault(name, label)
    all_texts = bool(classes) and all(isinstance(label, str) for label in classes)

    def match(given: Hashable) -> Hashable:
        if isinstance(given, frozenset):
            return frozenset(map(match, given))
        label = _read_class(given)
        unknown = str(label) if all_texts else label
        return exact.get((label_kind(label), label), equal.get(label, unknown))

    return [match(label) for label in labels]


def find_look_alikes(labels: Iterable[Hashable]) -> list[list[Hashable]]:
    """Find labels that differ only in form, and so may mean one class.

    Forms are: capitals, Unicode compositions and widths, invisible characters, spaces, hyphens and
    underscores, and numbers or truth values and the texts that spell them.

    Parameters
    ----------
    labels : iterable of labels

    Returns
    -------
    list of list of labels
        Each group of two or more labels, in the order in which they were given.

    Examples
    --------
    >>> find_look_alikes(["top_up", "Top up", "card", 1, "1.0"])
    [['top_up', 'Top up'], [1, '1.0']]
    """
    groups: dict[Hashable, list[Hashable]] = {}
    for label in labels:
        groups.setdefault(_plain_form(label), []).append(label)
    return [group for group in groups.values() if len(group) > 1]


def _plain_form(label: Hashable) -> Hashable:
    if isinstance(label, tuple):
        return tuple(map(_plain_form, label))
    read = _read_class(label)
    text = unicodedata.normalize("NFKC", str(read)).casefold()
    visible = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return " ".join(_SEPARATORS.sub(" ", visible).split()) or text


def _read_class(label: Hashable) -> Hashable:
    try:
        return parse_label(label)
    except ValueError:  # classes that no file can name, such as tuples
        return label


def _parse_text(text: str) -> str | int | bool:
    if len(text) > MAX_LABEL_CHARACTERS:
        raise ValueError(
            f"the label has {len(text):,} characters, more than {MAX_LABEL_CHARACTERS:,}; it is "
            "probably a text, or a double quote is not closed"
        )
    label = normalise_label(text)
    if not label:
        raise ValueError("the label is missing; fill it in or leave the row out")
    check_text(label, "the label")
    if "\0" in label:
        raise ValueError("the label holds a NUL character; remove it")
    if label in _TRUTH:
        return _TRUTH[label]
    if _INTEGER.fullmatch(label):
        number = int(label.partition(".")[0])
        if number in _INT64:
            return number
    return label
