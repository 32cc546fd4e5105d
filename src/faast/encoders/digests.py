"""Digests that identify encoders and rows by their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from faast.data.images import check_file, read_images
from faast.encoders.base import check_texts

ROW_DIGEST_BYTES = 16


def fingerprint_of(*parts: str | bytes) -> str:
    """Return the SHA-256 digest of the parts, each with its length, as 32 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:32]


def row_digest(row: Any, modality: Literal["text", "image"], number: int) -> bytes:
    """Digest the content of one raw row, under which its features are stored.

    Texts are known by their characters, image files by their bytes (wherever they lie), and images
    in memory by their RGB pixels.

    Parameters
    ----------
    row : str, path, bytes of an image file, PIL image or uint8 array
        A string is a text for text encoders and a path for image encoders.
    modality : {"text", "image"}
    number : int
        The number by which error messages call the row.

    Returns
    -------
    bytes of length `ROW_DIGEST_BYTES`

    Raises
    ------
    TypeError
        If the row of a text encoder is not a string.
    ValueError
        If an image cannot be read.
    """
    if modality == "text":
        (text,) = check_texts([row], [number])
        return _digest("text", text.encode("utf-8", "surrogatepass"))
    if isinstance(row, str | os.PathLike):
        try:
            return _digest("file", Path(check_file(row)).read_bytes())
        except (OSError, ValueError) as error:
            raise ValueError(f"row {number}: cannot read the image {row}: {error}") from error
    if isinstance(row, bytes):
        return _digest("file", row)
    (image,) = read_images([row], [number])
    pixels = np.asarray(image, order="C")
    return _digest(f"array {pixels.dtype.str} {pixels.shape}", pixels.tobytes())


def _digest(kind: str, content: bytes) -> bytes:
    digest = hashlib.blake2b(content, digest_size=ROW_DIGEST_BYTES, person=b"faast row")
    digest.update(b"\0" + kind.encode())
    return digest.digest()
