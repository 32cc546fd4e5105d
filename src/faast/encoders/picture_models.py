"""Picture models of transformers, such as DINOv2."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from faast.encoders.base import Features, Modality, unit_rows
from faast.encoders.hub import Checkpoint
from faast.encoders.pictures import read_pictures
from faast.encoders.pooled import PooledEncoder
from faast.encoders.torch_models import BATCH_ROWS, picture_settings
from faast.optional import require


class PictureModelEncoder(PooledEncoder):
    """A picture model; its own pooled output where the checkpoint has one."""

    modality: Modality = "image"
    _extra = "image"

    def __init__(self, checkpoint: Checkpoint, **options: Any) -> None:
        require("PIL.Image", "image")
        super().__init__(checkpoint, **options)
        transformers = require("transformers", "image")
        self._processor = checkpoint.load(
            transformers.AutoImageProcessor.from_pretrained, backend="pil"
        )

    def _default_pooling(self, pooler_is_there: bool) -> str:
        return "pooler" if pooler_is_there else "cls"

    @cached_property
    def n_features(self) -> int:
        """Columns of the features."""
        return int(self._embed([np.zeros((8, 8, 3), np.uint8)], [0]).shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        return self._digest(picture_settings(self._processor))

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`.

        Raises
        ------
        ValueError
            A picture cannot be read.
        """
        batches = [slice(i, i + BATCH_ROWS) for i in range(0, len(rows), BATCH_ROWS)]
        parts = [self._embed(rows[batch], numbers[batch]) for batch in batches]
        empty = np.empty((0, self.n_features), np.float32)
        return unit_rows(np.concatenate([empty, *parts]), numbers)

    def _embed(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        pictures = read_pictures(rows, numbers)
        return self._run(self._processor(images=pictures, return_tensors="pt"))
