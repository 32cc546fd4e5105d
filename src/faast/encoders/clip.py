"""Two-tower models of pictures and text: CLIP, SigLIP and relatives."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from faast.encoders.base import Encoder, Features, Modality, digest_of, label_texts, unit_rows
from faast.encoders.hub import Checkpoint
from faast.encoders.pictures import read_pictures
from faast.encoders.torch_models import (
    BATCH_ROWS,
    load_model,
    picture_settings,
    pick_device,
    to_float32,
    tokenizer_digest,
)
from faast.optional import require


class ClipEncoder(Encoder):
    """The image tower for pictures, the text tower for class names.

    Parameters
    ----------
    checkpoint : str
        Hub name or folder of a transformers model with ``get_image_features``.
    revision : str, optional
        Branch, tag or commit; what it points to now is pinned in `settings`.
    device : str, optional
        Torch device; the first accelerator, else the processor.
    dtype : {"float32", "float16", "bfloat16"}
        Number type of weights and activations.
    trust_remote_code : bool
        Run Python code that the checkpoint brings along.
    prompt : str
        What class names are put into.

    Raises
    ------
    ImportError
        transformers, torch or Pillow is not installed.
    EncoderUnavailableError
        The checkpoint cannot be found, reached or read.
    ValueError
        It is no two-tower model.
    """

    modality: Modality = "image"

    def __init__(
        self,
        checkpoint: str,
        *,
        revision: str | None = None,
        device: str | None = None,
        dtype: str = "float32",
        trust_remote_code: bool = False,
        prompt: str = "A photo of a {label}.",
    ) -> None:
        transformers = require("transformers", "image")
        self._torch = require("torch", "image")
        require("PIL.Image", "image")
        self.name, self.dtype, self.prompt = f"clip:{checkpoint}", dtype, prompt
        self.checkpoint = Checkpoint.resolve(checkpoint, revision, trust_remote_code, "image")
        self._device = pick_device(self._torch, device)
        loaded = load_model(self._torch, transformers, self.checkpoint, self._device, dtype)
        if not hasattr(loaded.model, "get_image_features") or loaded.missing:
            raise ValueError(
                f"{checkpoint!r} ({type(loaded.model).__name__}) is no complete two-tower model of "
                f'pictures and text; for a plain model use "hf:{checkpoint}"'
            )
        self._model = loaded.model
        self._processor = self.checkpoint.load(
            transformers.AutoImageProcessor.from_pretrained, backend="pil"
        )
        self._tokenizer = self.checkpoint.load(transformers.AutoTokenizer.from_pretrained)

    @cached_property
    def n_features(self) -> int:
        """Columns of the features."""
        return self._encode_texts(["a"]).shape[1]
