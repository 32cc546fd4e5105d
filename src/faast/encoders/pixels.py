"""Image features without weights: where edges run, and colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faast._utils.imports import import_optional
from faast.data.images import read_images
from faast.data.reader import Modality
from faast.encoders.base import Encoder, Features, digest_of

VERSION = 1
"""Raised whenever the features change: models learned with another version are refused."""

SIDE = 32
"""Pixels a side that every image is scaled to."""

CELL = 4
"""Pixels a side of a cell; neighbouring blocks of 2 x 2 cells share cells."""

SECTORS = 8
"""Directions of the gradient, all around the circle."""

STEPS = 1024
"""Features are rounded to this many steps, so that their norms are exact integers."""

COLOUR_SHARE = 0.5
"""Size of the colour part beside an edge part of size 1."""

_CELLS = SIDE // CELL
_BLOCKS = _CELLS - 1
_N_FEATURES = _BLOCKS**2 * 4 * SECTORS + _CELLS**2 * 3


class PixelsEncoder(Encoder):
    """Describe small images by histograms of oriented gradients and mean colours.

    Notes
    -----
    An image is scaled to 32 x 32. Gradients vote with their size |dx| + |dy|, of the colour
    channel where it is largest, for one of 8 directions in cells of 4 x 4 pixels; histograms of
    overlapping blocks of 2 x 2 cells are divided by their sum and square-rooted (after Dalal &
    Triggs 2005). Mean colours of the cells, less the image's mean, follow. Votes are integers,
    and features are rounded before the norm is taken, so a row has the same bits in any batch.
    """

    modality: Modality = "image"
    reproducible = True
    name = "pixels"

    def __init__(self) -> None:
        import_optional("PIL.Image", "image")

    @property
    def n_features(self) -> int:
        """Columns of the features."""
        return _N_FEATURES

    @property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        return digest_of("pixels", str(VERSION))

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return {"name": self.name}

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`.

        Raises
        ------
        ValueError
            An image cannot be read.
        """
        if not len(rows):
            return np.empty((0, _N_FEATURES), np.float32)
        images = np.stack([_scaled(image) for image in read_images(rows, numbers)])
        parts = np.concatenate([_edges(images), COLOUR_SHARE * _colours(images)], axis=1)
        steps = np.rint(STEPS * parts)
        steps[~steps.any(axis=1), 0] = 1.0  # an image of one colour: any fixed unit row will do
        squares = np.einsum("ij,ij->i", steps, steps)
        return np.asarray(steps / np.sqrt(squares)[:, None], np.float32)


def _scaled(image: Any) -> NDArray[np.int32]:
    """Return one image as integers of shape (SIDE, SIDE, 3)."""
    bilinear = import_optional("PIL.Image", "image").Resampling.BILINEAR
    return np.asarray(image.resize((SIDE, SIDE), bilinear), dtype=np.int32)


def _edges(images: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return block-normalised direction histograms, shape (n, blocks² * 4 * SECTORS)."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    strongest = np.argmax(np.abs(across) + np.abs(down), axis=3)[..., None]
    dx = np.take_along_axis(across, strongest, axis=3)[..., 0]
    dy = np.take_along_axis(down, strongest, axis=3)[..., 0]
    # Eight directions by comparisons alone: two half planes and the steeper axis.
    sector = 4 * (dy < 0) + 2 * (dx < 0) + (np.abs(dy) > np.abs(dx))
    votes = np.where(
        sector[..., None] == np.arange(SECTORS), (np.abs(dx) + np.abs(dy))[..., None], 0
    )
    cells = _cell_sums(votes)
    blocks = np.concatenate(
        [cells[:, i : i + _BLOCKS, j : j + _BLOCKS] for i in (0, 1) for j in (0, 1)], axis=3
    ).astype(np.float64)
    # One grey level of gradient a pixel is noise: it keeps flat blocks flat.
    blocks /= blocks.sum(axis=3, keepdims=True) + 4 * CELL**2
    return np.sqrt(blocks).reshape(len(images), -1) / _BLOCKS


def _colours(images: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the cells' mean colours less the image's, shape (n, cells² * 3)."""
    cells = _cell_sums(images).astype(np.float64)
    cells -= cells.mean(axis=(1, 2), keepdims=True)
    scale = np.sqrt(np.square(cells).sum(axis=(1, 2, 3), keepdims=True))
    return np.asarray(cells / np.maximum(scale, CELL**2)).reshape(len(images), -1)


def _cell_sums(values: NDArray[np.int32]) -> NDArray[np.int64]:
    """Add up each cell, shape (n, cells, cells, channels)."""
    n_rows, channels = len(values), values.shape[3]
    cells = values.reshape(n_rows, _CELLS, CELL, _CELLS, CELL, channels)
    return np.asarray(cells.sum(axis=(2, 4)), np.int64)
