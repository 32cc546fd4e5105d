"""Decode images, given as paths, bytes, PIL images or arrays."""

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
"""Suffixes of image files."""


def read_image(row: Any) -> Any:
    """Decode one image completely, and turn it upright.

    Parameters
    ----------
    row : path, bytes of an image file, PIL image, or uint8 array
        Arrays have shape (height, width), (height, width, 3) or (height, width, 4).

    Returns
    -------
    PIL.Image.Image
        In mode RGB.

    Raises
    ------
    ImportError
        If Pillow is not installed.
    ValueError
        If the row is none of the above, a file is missing, damaged or not an image, or an image
        has more pixels than Pillow considers safe.
    """
    pil = import_optional("PIL.Image", "image")
    if isinstance(row, np.ndarray):
        row = pil.fromarray(_check_array(row))
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
        raise ValueError(f"{_name_of(row)} is too large: {error}; scale it down") from error
    except Exception as error:  # on a damaged file, Pillow may raise any exception
        raise ValueError(_explain(row, error)) from error


def read_images(rows: Sequence[Any], numbers: Sequence[int]) -> list[Any]:
    """Decode several images; see `read_image`.

    Parameters
    ----------
    rows : sequence
    numbers : sequence of int
        The number by which error messages call each row.

    Returns
    -------
    list of PIL.Image.Image
    """
    images = []
    for row, number in zip(rows, numbers, strict=True):
        try:
            images.append(read_image(row))
        except ValueError as error:
            raise ValueError(f"row {number}: {error}") from error
    return images


def is_file(path: Path) -> bool:
    """Tell whether a file exists; a path that is too long for a name does not."""
    try:
        return path.is_file()
    except OSError:
        return False


def _check_array(array: NDArray[Any]) -> NDArray[np.uint8]:
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not is_image or array.size == 0:
        raise ValueError(
            "an image array must be uint8 of shape (height, width), (height, width, 3) or "
            f"(height, width, 4), got {array.dtype} of shape {array.shape}"
        )
    return array


def _name_of(row: Any) -> str:
    return f"the image {row}" if isinstance(row, str | os.PathLike) else "the image"


def _explain(row: Any, error: Exception) -> str:
    if isinstance(row, str | os.PathLike) and not is_file(Path(row)):
        return (
            f"there is no image {row}; rows are paths of images here, texts need a model of "
            "texts (--encoder hashing)"
        )
    return f"cannot read {_name_of(row)}: {error}; it is damaged or not an image"
