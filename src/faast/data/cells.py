"""Turn the values of a file into rows, and check them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from faast._utils.arrays import FloatArray
from faast.data.images import read_image

MAX_FEATURES = 1 << 16
"""Most features of a row: models hold a square matrix of this width."""

_FOR_TEXTS = 'if rows are texts, learn with modality="text" (--encoder hashing)'


def parse_text(value: Any) -> str:
    """Check that a value is a text, and return it.

    Raises
    ------
    ValueError
        If it is not a string, is blank, or holds bytes that could not be decoded.
    """
    if not isinstance(value, str):
        raise ValueError(f"the text must be a string, got {type(value).__name__}")
    if not value.strip():
        raise ValueError("the text is empty; fill it in or leave the row out")
    check_text(value, "the text")
    return value


def parse_image(value: Any, folder: Path) -> Any:
    """Check that a value is an image that can be decoded completely, and return it.

    Parameters
    ----------
    value : str, path, bytes, PIL image, uint8 array, or mapping with "bytes" or "path"
    folder : pathlib.Path
        Folder to which a relative path is relative.

    Returns
    -------
    pathlib.Path, bytes, PIL image or ndarray
        Files are not returned decoded, so that a batch of them takes little memory.

    Raises
    ------
    ValueError
        If the image is missing or damaged, or the value is not an image.
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


def parse_features(value: Any) -> FloatArray:
    """Convert one row of numbers, or of texts that are numbers, to float64.

    Parameters
    ----------
    value : array-like of shape (n_features,)

    Returns
    -------
    ndarray of shape (n_features,), float64

    Raises
    ------
    ValueError
        If the value is not one row of finite numbers.
    """
    try:
        row = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"the features are not all numbers: {error}; {_FOR_TEXTS}") from None
    if row.ndim != 1 or not row.size:
        raise ValueError(
            f"the features must be one row of numbers, got shape {row.shape}; {_FOR_TEXTS}"
        )
    if row.size > MAX_FEATURES:
        raise ValueError(f"{row.size:,} features, more than {MAX_FEATURES:,}")
    if not np.all(np.isfinite(row)):
        raise ValueError("the features contain NaN or inf; repair the row or leave it out")
    return row


def is_missing(value: Any) -> bool:
    """Tell whether a cell is empty: None, NaN, or a text of nothing but spaces."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float | np.floating) and bool(np.isnan(value)))


def check_text(text: str, what: str) -> None:
    """Check that a string holds no lone surrogates.

    `TextFile` turns bytes that cannot be decoded into lone surrogates, and JSON can contain them.

    Parameters
    ----------
    text : str
    what : str
        What the error message calls the string.

    Raises
    ------
    ValueError
        If the string holds one.
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
