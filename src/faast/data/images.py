"""One image, however it was handed over."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faast._utils.imports import import_optional

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


def read_image(row: Any) -> Any:
    """Return a row as an upright RGB image, all of it decoded.

    Parameters
    ----------
    row : path, bytes of a file, PIL image, or uint8 array
        Arrays have shape (h, w), (h, w, 3) or (h, w, 4).

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    ImportError
        Pillow is not installed.
    ValueError
        The row is none of these; the file is missing, damaged, no image, or has more pixels than
        Pillow holds to be safe; the array has another shape or type.
    """
    pil = import_optional("PIL.Image", "image")
    if isinstance(row, np.ndarray):
        row = pil.fromarray(_checked(row))
    if not isinstance(row, str | os.PathLike | bytes | pil.Image):
        raise ValueError(
            "an image must be a path, the bytes of a file, a PIL image or a uint8 array, got "
            f"{type(row).__name__}"
        )
    transpose = import_optional("PIL.ImageOps", "image").exif_transpose
    try:
        with warnings.catch_warnings(action="ignore"):
            warnings.simplefilter("error", pil.DecompressionBombWarning)
            if isinstance(row, pil.Image):
                return transpose(row).convert("RGB")
            with pil.open(io.BytesIO(row) if isinstance(row, bytes) else row) as image:
                return transpose(image).convert("RGB")
    except (pil.DecompressionBombError, pil.DecompressionBombWarning) as error:
        raise ValueError(f"{_named(row)} is too large: {error}; scale it down") from error
    except Exception as error:  # Pillow's readers raise anything on a damaged file
        raise ValueError(_fault(row, error)) from error


def read_images(rows: Sequence[Any], numbers: Sequence[int]) -> list[Any]:
    """Read each row; errors call row i ``numbers[i]``."""
    return [_numbered(row, number) for row, number in zip(rows, numbers, strict=True)]


def _numbered(row: Any, number: int) -> Any:
    try:
        return read_image(row)
    except ValueError as error:
        raise ValueError(f"row {number}: {error}") from error


def _checked(array: NDArray[Any]) -> NDArray[np.uint8]:
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not shaped or array.size == 0:
        raise ValueError(
            "an image array must be uint8 of shape (h, w), (h, w, 3) or (h, w, 4), got "
            f"{array.dtype} of shape {array.shape}"
        )
    return array


def is_file(path: Path) -> bool:
    """Tell whether a file is there; text that cannot be a name, being too long, is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _named(row: Any) -> str:
    return f"the image {row}" if isinstance(row, str | os.PathLike) else "the image"


def _fault(row: Any, error: Exception) -> str:
    if isinstance(row, str | os.PathLike) and not is_file(Path(row)):
        return (
            f"there is no image {row}; rows are paths of images here, texts need a model of "
            "texts (--encoder hashing)"
        )
    return f"cannot read {_named(row)}: {error}; it is damaged or no image"
