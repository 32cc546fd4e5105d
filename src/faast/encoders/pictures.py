"""One picture, however it was handed over."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faast.optional import require

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def read_picture(row: Any) -> Any:
    """Return a row as an upright RGB picture, all of it decoded.

    Parameters
    ----------
    row : path, bytes of a file, PIL picture, or uint8 array
        Arrays have shape (h, w), (h, w, 3) or (h, w, 4).

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    ImportError
        Pillow is not installed.
    ValueError
        The file is missing, damaged, or no picture; the array has another shape or type.
    """
    image = require("PIL.Image", "image")
    if isinstance(row, np.ndarray):
        row = image.fromarray(_checked(row))
    transpose = require("PIL.ImageOps", "image").exif_transpose
    try:
        if isinstance(row, image.Image):
            return transpose(row).convert("RGB")
        with image.open(io.BytesIO(row) if isinstance(row, bytes) else row) as picture:
            return transpose(picture).convert("RGB")
    except (OSError, SyntaxError, image.DecompressionBombError, AttributeError) as error:
        raise ValueError(_fault(row, error)) from error


def read_pictures(rows: Sequence[Any], numbers: Sequence[int]) -> list[Any]:
    """Read each row; errors call row i ``numbers[i]``."""
    return [_numbered(row, number) for row, number in zip(rows, numbers, strict=True)]


def _numbered(row: Any, number: int) -> Any:
    try:
        return read_picture(row)
    except ValueError as error:
        raise ValueError(f"row {number}: {error}") from error


def _checked(array: NDArray[Any]) -> NDArray[np.uint8]:
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not shaped or array.size == 0:
        raise ValueError(
            "a picture array must be uint8 of shape (h, w), (h, w, 3) or (h, w, 4), got "
            f"{array.dtype} of shape {array.shape}"
        )
    return array


def _fault(row: Any, error: Exception) -> str:
    if not isinstance(row, str | os.PathLike):
        return f"cannot read the picture: {error}"
    path = Path(row)
    if not path.is_file():
        return f"there is no picture {path}"
    return f"cannot read the picture {path}: {error}; it is damaged or no picture"
