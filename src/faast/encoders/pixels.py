"""Image features without weights: histograms of oriented gradients, and colours."""

from __future__ import annotations

from collections.abc import Sequence
from threading import BoundedSemaphore
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faast._utils.imports import import_optional
from faast.data.images import read_images
from faast.encoders.base import Encoder, Features
from faast.encoders.digests import fingerprint_of

VERSION = 2
"""Raise it whenever the features change, so that models learned with other features are refused."""

_SIDE = 32
"""Width and height, in pixels, to which every image is scaled."""

_CELL = 4
"""Width and height of a cell in pixels."""

_DIRECTIONS = 8
"""Bins of a cell's histogram: directions of the gradient around the full circle."""

_STEPS = 1024
"""Features are rounded to multiples of 1 / 1024, so that their squared norm is an exact integer."""

_COLOUR_SHARE = 0.5
"""Largest norm of the colour features; that of the gradient features is 1."""

_DECODING = BoundedSemaphore(4)
"""Taken while an image is decoded: it may fill hundreds of megabytes until it is scaled."""

_CELLS = _SIDE // _CELL
_BLOCKS = _CELLS - 1
_N_FEATURES = _BLOCKS**2 * 4 * _DIRECTIONS + _CELLS**2 * 3


class PixelsEncoder(Encoder):
    """Describe small images by histograms of oriented gradients and by mean colours.

    Raises
    ------
    ImportError
        If Pillow is not installed.

    Notes
    -----
    An image is scaled to 32 x 32 pixels. At each pixel, the colour channel with the largest
    gradient votes with its size |dx| + |dy| for one of 8 directions in the histogram of its cell
    of 4 x 4 pixels. The histograms of each block of 2 x 2 cells are divided by their sum and
    square-rooted; blocks overlap (after Dalal & Triggs 2005). The mean colours of the cells, minus
    that of the image, follow. Votes are integers, and features are rounded before their norm is
    computed, so an image has the same bits in every batch.
    """

    name = "pixels"
    modality = "image"
    reproducible = True

    def __init__(self) -> None:
        import_optional("PIL.Image", "image")

    @property
    def n_features(self) -> int:
        """Number of columns of the features."""
        return _N_FEATURES

    @property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        return fingerprint_of("pixels", str(VERSION))

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return {"name": self.name}

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`."""
        if not len(rows):
            return np.empty((0, _N_FEATURES), np.float32)
        images = np.stack(
            [_read_scaled(row, number) for row, number in zip(rows, numbers, strict=True)]
        )
        parts = np.concatenate([_gradients(images), _COLOUR_SHARE * _colours(images)], axis=1)
        steps = np.rint(_STEPS * parts)
        steps[~steps.any(axis=1), 0] = 1.0  # an image of a single colour: use a fixed unit vector
        squares = np.einsum("ij,ij->i", steps, steps)
        return np.asarray(steps / np.sqrt(squares)[:, None], np.float32)


def _read_scaled(row: Any, number: int) -> NDArray[np.int32]:
    """Read an image as integers of shape (_SIDE, _SIDE, 3), and keep none of its own pixels."""
    bilinear = import_optional("PIL.Image", "image").Resampling.BILINEAR
    with _DECODING:
        (image,) = read_images([row], [number])
        return np.asarray(image.resize((_SIDE, _SIDE), bilinear), dtype=np.int32)


def _gradients(images: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return block-normalised histograms of directions, shape (n, _BLOCKS² * 4 * _DIRECTIONS)."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    strongest = np.argmax(np.abs(across) + np.abs(down), axis=3)[..., None]
    dx = np.take_along_axis(across, strongest, axis=3)[..., 0]
    dy = np.take_along_axis(down, strongest, axis=3)[..., 0]
    # The signs of dx and dy and the steeper axis tell eight directions apart, in integers.
    direction = 4 * (dy < 0) + 2 * (dx < 0) + (np.abs(dy) > np.abs(dx))
    votes = np.where(
        direction[..., None] == np.arange(_DIRECTIONS), (np.abs(dx) + np.abs(dy))[..., None], 0
    )
    cells = _sum_cells(votes)
    blocks = np.concatenate(
        [cells[:, i : i + _BLOCKS, j : j + _BLOCKS] for i in (0, 1) for j in (0, 1)], axis=3
    ).astype(np.float64)
    # A gradient of one grey level per pixel is noise: this constant keeps flat blocks near zero.
    blocks /= blocks.sum(axis=3, keepdims=True) + 4 * _CELL**2
    return np.sqrt(blocks).reshape(len(images), -1) / _BLOCKS


def _colours(images: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the mean colours of cells minus that of the image, shape (n, _CELLS² * 3)."""
    cells = _sum_cells(images).astype(np.float64)
    cells -= cells.mean(axis=(1, 2), keepdims=True)
    scale = np.sqrt(np.square(cells).sum(axis=(1, 2, 3), keepdims=True))
    return np.asarray(cells / np.maximum(scale, _CELL**2)).reshape(len(images), -1)


def _sum_cells(values: NDArray[np.int32]) -> NDArray[np.int64]:
    """Sum values over the pixels of each cell, shape (n, _CELLS, _CELLS, channels)."""
    n_rows, channels = len(values), values.shape[3]
    cells = values.reshape(n_rows, _CELLS, _CELL, _CELLS, _CELL, channels)
    return np.asarray(cells.sum(axis=(2, 4)), np.int64)
