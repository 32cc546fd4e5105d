"""Values of a file as rows and labels."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from faast.encoders.pictures import read_picture

_NOT_TEXT = (
    "is not valid text in this encoding; convert the file to UTF-8 (iconv -f latin1 -t utf-8) or "
    "name its encoding"
)


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
    if not _is_text(value):
        raise ValueError(f"the text {_NOT_TEXT}")
    return value


def picture_row(value: Any, folder: Path) -> Any:
    """Check that one picture decodes, whole.

    Parameters
    ----------
    value : str, path, bytes, PIL picture, uint8 array, or mapping with "bytes" or "path"
    folder : pathlib.Path
        What relative paths start from.

    Returns
    -------
    pathlib.Path, bytes, PIL picture or ndarray
        Files stay as they are: a batch of them takes little memory.

    Raises
    ------
    ValueError
        Missing, damaged, or no picture.
    """
    if isinstance(value, Mapping):
        content = value.get("bytes")
        value = value.get("path") if content is None else content
    if value is None or value == "":
        raise ValueError("the picture is missing; fill it in or leave the row out")
    if isinstance(value, str | Path):
        value = folder / value
    read_picture(value)
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
        raise ValueError(f"the features are not all numbers: {error}") from None
    if row.ndim != 1 or not row.size:
        raise ValueError(f"the features must be one row of numbers, got shape {row.shape}")
    if not np.all(np.isfinite(row)):
        raise ValueError("the features hold NaN or inf; repair the row or leave it out")
    return row


def label(value: Any) -> Hashable:
    """Check one label: a string, or a number as a plain Python one.

    Raises
    ------
    ValueError
        Missing, empty, NaN, or of another kind.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value == "" or value != value:
        raise ValueError("the label is missing; fill it in or leave the row out")
    if not isinstance(value, str | int | float):
        raise ValueError(f"the label must be a string or a number, got {type(value).__name__}")
    if isinstance(value, str) and not _is_text(value):
        raise ValueError(f"the label {_NOT_TEXT}")
    return value


def _is_text(value: str) -> bool:
    """Tell whether no lone surrogate, such as a byte that did not decode, is in a string."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
