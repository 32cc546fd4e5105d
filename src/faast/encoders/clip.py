"""Two-tower models of images and text: CLIP, SigLIP and relatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from faast._utils.imports import import_optional
from faast.data.images import read_images
from faast.encoders.base import Features, label_texts, unit_rows
from faast.encoders.checkpoint import Checkpoint
from faast.encoders.checkpoint_encoder import CheckpointEncoder
from faast.encoders.digests import fingerprint_of
from faast.encoders.torch_utils import (
    batches_in_order,
    image_settings,
    load_model,
    to_device,
    to_float32,
    tokenizer_digest,
    weights_digest,
)


class ClipEncoder(CheckpointEncoder):
    """Encode images with the image tower of a model, and class names with its text tower.

    Parameters
    ----------
    checkpoint : Checkpoint
        A model of transformers with ``get_image_features`` and ``get_text_features``.
    prompt : str
        Text into which each class name is put, in place of "{label}".
    **options
        `device` and `dtype`; see `CheckpointEncoder`.

    Raises
    ------
    EncoderUnavailableError
        If the checkpoint cannot be read.
    ValueError
        If the checkpoint is not a complete two-tower model.
    """

    modality = "image"
    semantic = True
    prefix = "clip"
    extra = "image"
    packages = ("transformers", "torch", "PIL.Image")

    def __init__(
        self, checkpoint: Checkpoint, *, prompt: str = "A photo of a {label}.", **options: Any
    ) -> None:
        super().__init__(checkpoint, **options)
        self.prompt = prompt
        loaded = load_model(checkpoint, self._device, self.dtype, self.extra)
        if not hasattr(loaded.model, "get_image_features") or loaded.missing:
            raise ValueError(
                f"{checkpoint.name!r} ({type(loaded.model).__name__}) is not a complete two-tower "
                f'model of images and text; for a model with one tower use "hf:{checkpoint.name}"'
            )
        self._model = loaded.model
        transformers = import_optional("transformers", self.extra)
        self._processor = checkpoint.load(
            transformers.AutoImageProcessor.from_pretrained, backend="pil"
        )
        self._tokenizer = checkpoint.load(transformers.AutoTokenizer.from_pretrained)

    @cached_property
    def n_features(self) -> int:
        """Number of columns of the features."""
        return int(self._embed_texts(["a"]).shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        return fingerprint_of(
            "clip",
            self.dtype,
            image_settings(self._processor),
            tokenizer_digest(self._tokenizer),
            weights_digest(self._torch, self._model),
        )

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return super().settings | {"prompt": self.prompt}

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`."""
        out = np.empty((len(rows), self.n_features), np.float32)
        for batch in batches_in_order(len(rows)):
            images = read_images(rows[batch], numbers[batch])
            inputs = self._processor(images=images, return_tensors="pt")
            out[batch] = self._run(self._model.get_image_features, inputs)
        return unit_rows(out, numbers)

    def encode_labels(self, labels: Sequence[Any]) -> Features:
        """See `Encoder.encode_labels`."""
        texts = label_texts(labels, self.prompt)
        return unit_rows(self._embed_texts(texts), range(len(texts)))

    def _embed_texts(self, texts: list[str]) -> Features:
        # SigLIP was trained on texts padded to full length; other models ignore the padding.
        positions = self._model.config.text_config.max_position_embeddings
        parts = [
            self._run(
                self._model.get_text_features,
                self._tokenizer(
                    texts[batch],
                    padding="max_length",
                    max_length=min(positions, self._tokenizer.model_max_length),
                    truncation=True,
                    return_tensors="pt",
                ),
            )
            for batch in batches_in_order(len(texts))
        ]
        return np.concatenate(parts)

    def _run(self, tower: Callable[..., Any], inputs: Any) -> Features:
        inputs = to_device(inputs, self._device, self._model.dtype)
        with self._torch.inference_mode():
            return to_float32(tower(**inputs).pooler_output)
