"""What a row is, as a digest: the key under which its features are kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from faast.encoders.base import Modality
from faast.encoders.pictures import read_pictures

DIGEST_BYTES = 16


def check_texts(rows: Sequence[Any], numbers: Sequence[int]) -> list[str]:
    """Return the rows as a list of strings.

    Raises
    ------
    TypeError
        A row is no string; row i is called ``numbers[i]``.
    """
    for row, number in zip(rows, numbers, strict=True):
        if not isinstance(row, str):
            raise TypeError(
                f"row {number} must be a string, got {type(row).__name__}: the encoder takes texts"
            )
    return list(rows)


def content_digest(row: Any, modality: Modality, number: int) -> bytes:
    """Digest one row: text by its characters, a file by its bytes, the rest by pixels or numbers.

    Parameters
    ----------
    row : str, path, bytes of a file, PIL picture or array-like
    modality : {"text", "image", "features"}
        A string is a path for images.
    number : int
        What error messages call the row.

    Raises
    ------
    TypeError
        A text row that is no string.
    ValueError
        A picture that cannot be read.
    """
    if modality == "text":
        (text,) = check_texts([row], [number])
        return _digest("text", text.encode("utf-8", "surrogatepass"))
    if modality == "image" and isinstance(row, str | os.PathLike):
        try:
            return _digest("file", Path(row).read_bytes())
        except (OSError, ValueError) as error:
            raise ValueError(f"row {number}: cannot read the picture {row}: {error}") from error
    if isinstance(row, bytes):
        return _digest("file", row)
    if modality == "image":
        (row,) = read_pictures([row], [number])
    array = np.asarray(row, order="C")
    return _digest(f"array {array.dtype.str} {array.shape}", array.tobytes())


def _digest(kind: str, content: bytes) -> bytes:
    digest = hashlib.blake2b(content, digest_size=DIGEST_BYTES, person=b"faast row")
    digest.update(b"\0" + kind.encode())
    return digest.digest()
