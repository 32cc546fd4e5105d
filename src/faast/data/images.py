"""Decode images, given as paths, bytes, PIL images or arrays.

All images become RGB with 8 bits per channel. Images of 16 bits keep the upper 8, images with
transparency are laid on white, so that only what a viewer shows counts, and images with pixels of
32 bits, which have no known range, are refused.
"""

from __future__ import annotations

import io
import os
import stat
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from faast._utils.imports import import_optional

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""Suffixes of image files."""

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""Formats that are decoded, whatever the suffix: Pillow would start programs for some others."""

MAX_FILE_BYTES = 1 << 28
"""Most bytes of an image file."""

_WIDE_MODES = ("I;16", "I;16L", "I;16B", "I;16N")


class _RefusedError(ValueError):
    """An image that is not damaged, but is not read."""


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
        If the row is none of the above, a file is missing, damaged or not an image of one of the
        `FORMATS`, or an image has pixels of 32 bits or more pixels than Pillow considers safe.

    Notes
    -----
    Pillow warns of damaged metadata; the filters of warnings, which all threads of the process
    share, are left as they are.
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
        if isinstance(row, pil.Image):
            return _to_rgb(pil, transpose(_check_size(pil, row)), row.format)
        with (
            io.BytesIO(row) if isinstance(row, bytes) else Path(check_file(row)).open("rb") as file,
            _open(pil, file) as image,
        ):
            return _to_rgb(pil, transpose(_check_size(pil, image)), image.format)
    except (pil.DecompressionBombError, pil.DecompressionBombWarning) as error:
        raise ValueError(f"{_name_of(row)} is too large: {error}; scale it down") from error
    except _RefusedError as error:
        raise ValueError(f"cannot read {_name_of(row)}: {error}") from error
    except Exception as error:  # on a damaged file, Pillow may raise any exception
        raise ValueError(_explain(row, error)) from error


def image_size(content: bytes) -> tuple[int, int]:
    """Return the width and height that an image file declares, without decoding its pixels.

    Raises
    ------
    ImportError
        If Pillow is not installed.
    ValueError
        If it is not an image of one of the `FORMATS`.
    """
    pil = import_optional("PIL.Image", "image")
    try:
        with io.BytesIO(content) as file, _open(pil, file) as image:
            return image.width, image.height
    except Exception as error:  # on a damaged file, Pillow may raise any exception
        raise ValueError(_explain(content, error)) from error


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


def check_file(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Check that a path names a regular file of bounded size, and return the path.

    Reading a pipe or a device may never end.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it is something else, or too large.
    """
    found = Path(path).stat()
    if not stat.S_ISREG(found.st_mode):
        raise _RefusedError("it is not a file but a folder, a pipe or a device")
    if found.st_size > MAX_FILE_BYTES:
        raise _RefusedError(f"it has more than {MAX_FILE_BYTES:,} bytes")
    return path


def _open(pil: Any, file: BinaryIO) -> Any:
    """Open an image of one of the `FORMATS`, without decoding its pixels.

    `PIL.Image.open` would warn of large images, which are refused, and filters of warnings cannot
    be set for one thread alone.
    """
    pil.init()
    start = file.read(16)
    for format in FORMATS:
        factory, accepts = pil.OPEN.get(format, (None, None))
        # Instead of False, a text says why a format is not supported.
        if accepts is None or accepts(start) in (False, None) or isinstance(accepts(start), str):
            continue
        file.seek(0)
        try:
            return factory(file, "")
        except (SyntaxError, IndexError, TypeError, struct.error):  # it is another format
            continue
    raise ValueError(f"it is none of the formats {', '.join(FORMATS)}")


def _check_size(pil: Any, image: Any) -> Any:
    """Check the size that a file declares, before its pixels are decoded, and return the image."""
    pixels = image.width * image.height
    if pil.MAX_IMAGE_PIXELS is not None and pixels > pil.MAX_IMAGE_PIXELS:
        raise pil.DecompressionBombError(
            f"{pixels:,} pixels, more than {pil.MAX_IMAGE_PIXELS:,}, which Pillow considers safe"
        )
    return image


def _to_rgb(pil: Any, image: Any, format: str | None) -> Any:
    """Convert an image, read from a file of this format if any, to RGB as the module says."""
    # Pillow reads 16 bits of PPM, and some versions those of PNG, as the lower half of 32 bits.
    if image.mode in _WIDE_MODES or (image.mode == "I" and format in ("PPM", "PNG")):
        image = pil.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        raise _RefusedError(
            "its pixels have 32 bits, of which the range is not known; scale them to 8 bits "
            "(0 is black, 255 is white)"
        )
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = pil.new("RGBA", image.size, "white")
    return pil.alpha_composite(white, image).convert("RGB")


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
