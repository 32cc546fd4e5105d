"""Values of a file as rows and labels."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from faast.data.images import read_image

_FOR_TEXTS = 'where rows are texts, learn with modality="text" (--encoder hashing)'


def text_row(value: Any) -> str:
    """Check one text.

    Raises
    ------
    ValueError
        No string, empty, or not decodable.
    """
    if not isinstance(value, str):
        raise ValueError(f"the text must be a string, got {type(value).__name__}")
    if not value.strip():
        raise ValueError("the text is empty; fill it in or leave the row out")
    check_text(value, "the text")
    return value


def image_row(value: Any, folder: Path) -> Any:
    """Check that one image decodes, whole.

    Parameters
    ----------
    value : str, path, bytes, PIL image, uint8 array, or mapping with "bytes" or "path"
    folder : pathlib.Path
        What relative paths start from.

    Returns
    -------
    pathlib.Path, bytes, PIL image or ndarray
        Files stay as they are: a batch of them takes little memory.

    Raises
    ------
    ValueError
        Missing, damaged, or no image.
    """
    if isinstance(value, Mapping):
        content = value.get("bytes")
        value = value.get("path") if content is None else content
    if value is None or value == "":
        raise ValueError("the image is missing; fill it in or leave the row out")
    if isinstance(value, str | Path):
        value = folder / value
    read_image(value)
    return value


def feature_row(value: Any) -> np.ndarray[Any, Any]:
    """Read one row of numbers as float64.

    Raises
    ------
    ValueError
        Not a list of finite numbers.
    """
    try:
        row = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the features are not all numbers: {error}; {_FOR_TEXTS}") from None
    if row.ndim != 1 or not row.size:
        raise ValueError(
            f"the features must be one row of numbers, got shape {row.shape}; {_FOR_TEXTS}"
        )
    if not np.all(np.isfinite(row)):
        raise ValueError("the features hold NaN or inf; repair the row or leave it out")
    return row


def label(value: Any) -> Hashable:
    """Check one label: a string, or a number as a plain Python one.

    Raises
    ------
    ValueError
        Missing, blank, not finite, or of another kind.
    """
    if isinstance(value, np.generic):
        value = value.item()
    blank = isinstance(value, str) and not value.strip()
    if value is None or blank or value != value:
        raise ValueError("the label is missing; fill it in or leave the row out")
    if not isinstance(value, str | int | float):
        raise ValueError(f"the label must be a string or a number, got {type(value).__name__}")
    if isinstance(value, str):
        check_text(value, "the label")
    elif not math.isfinite(value):
        raise ValueError(f"the label must be finite, got {value}")
    return value


def kind_of(label: Hashable) -> str:
    """Name the kind of a label: true and 1, or "1" and 1, are not one class."""
    if isinstance(label, str):
        return "a string"
    return "true or false" if isinstance(label, bool) else "a number"


def check_text(text: str, what: str) -> None:
    """Check that all of a string is characters.

    Raises
    ------
    ValueError
        A byte did not decode (`TextFile` makes such a byte a lone surrogate), or a surrogate stands
        alone for another reason.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        if "\udc80" <= text[error.start] <= "\udcff":
            raise ValueError(
                f"{what} is not valid text in this encoding; save the file as UTF-8, for example "
                "with iconv -f latin1 -t utf-8"
            ) from None
        raise ValueError(
            f"{what} is not valid text: {text[error.start]!a} is half a character; remove it, or "
            "write its other half beside it"
        ) from None
