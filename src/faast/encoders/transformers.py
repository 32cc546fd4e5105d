"""Single-tower transformers models, with their hidden states pooled into one row.

Image models of transformers, such as DINOv2.

Text models of transformers.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from faast._utils.imports import import_optional
from faast.data.images import read_images
from faast.data.reader import Modality
from faast.encoders.base import Encoder, Features, check_texts, digest_of, label_texts, unit_rows
from faast.encoders.checkpoint import Checkpoint
from faast.encoders.torch_utils import (
    BATCH_ROWS,
    batches_by_length,
    image_settings,
    load_model,
    pick_device,
    to_device,
    to_float32,
    tokenizer_digest,
    weights_digest,
)

POOLINGS = ("mean", "cls", "pooler")


class PooledEncoder(Encoder):
    """What `TextModelEncoder` and `ImageModelEncoder` share.

    Parameters
    ----------
    checkpoint : Checkpoint
    device : str, optional
    dtype : {"float32", "float16", "bfloat16"}
    pooling : {"mean", "cls", "pooler"}, optional
        Mean of the hidden states, the first one, or the model's own pooled output.

    Raises
    ------
    ValueError
        Unknown pooling, or weights that the checkpoint does not hold.
    """

    _extra: str

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str | None = None,
        dtype: str = "float32",
        pooling: str | None = None,
    ) -> None:
        if pooling not in (None, *POOLINGS):
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, got {pooling!r}")
        self._torch = import_optional("torch", self._extra)
        self.checkpoint, self.name, self.dtype = checkpoint, f"hf:{checkpoint.name}", dtype
        self._device = pick_device(self._torch, device)
        self._model, self._missing = load_model(checkpoint, self._device, dtype, self._extra)
        pooler_is_there = not any("pooler" in name for name in self._missing)
        self.pooling = pooling or self._default_pooling(pooler_is_there)
        random = {name for name in self._missing if "pooler" not in name}
        if random or (self.pooling == "pooler" and not pooler_is_there):
            raise ValueError(
                f"{checkpoint.name!r} does not hold {', '.join(sorted(random or self._missing))}, "
                "so these weights would be random; "
                + ("use another checkpoint" if random else 'use pooling "mean" or "cls"')
            )

    @abstractmethod
    def _default_pooling(self, pooler_is_there: bool) -> str: ...

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return {
            "name": self.name,
            "revision": self.checkpoint.revision,
            "dtype": self.dtype,
            "pooling": self.pooling,
        }

    def _digest(self, preparation: str) -> str:
        weights = weights_digest(self._torch, self._model, self._missing)
        return digest_of("pooled", self.dtype, self.pooling, preparation, weights)

    def _run(self, inputs: Any) -> Features:
        """Pool the hidden states of a batch, shape (n, n_features)."""
        inputs = to_device(inputs, self._device, self._model.dtype)
        with self._torch.inference_mode():
            output = self._model(**inputs)
        if self.pooling == "pooler":
            if output.get("pooler_output") is None:
                raise ValueError(f'{self.name} has no pooled output; use pooling "mean" or "cls"')
            return to_float32(output.pooler_output)
        hidden = output.last_hidden_state
        if hidden.ndim == 4:  # convolutional: (n, channels, height, width)
            hidden = hidden.flatten(2).transpose(1, 2)
        if self.pooling == "cls":
            return to_float32(hidden[:, 0])
        mask = inputs.get("attention_mask")
        if mask is None:
            return to_float32(hidden.float().mean(1))
        shares = (mask / mask.sum(1, keepdim=True)).float()
        return to_float32((hidden.float() * shares[..., None]).sum(1))


class ImageModelEncoder(PooledEncoder):
    """A image model; its own pooled output where the checkpoint has one."""

    modality: Modality = "image"
    _extra = "image"

    def __init__(self, checkpoint: Checkpoint, **options: Any) -> None:
        import_optional("PIL.Image", "image")
        super().__init__(checkpoint, **options)
        transformers = import_optional("transformers", "image")
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
        return self._digest(image_settings(self._processor))

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`.

        Raises
        ------
        ValueError
            A image cannot be read.
        """
        batches = [slice(i, i + BATCH_ROWS) for i in range(0, len(rows), BATCH_ROWS)]
        parts = [self._embed(rows[batch], numbers[batch]) for batch in batches]
        empty = np.empty((0, self.n_features), np.float32)
        return unit_rows(np.concatenate([empty, *parts]), numbers)

    def _embed(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        images = read_images(rows, numbers)
        return self._run(self._processor(images=images, return_tensors="pt"))


MAX_TOKENS = 512
"""Tokens of a row that are read, or fewer where the model has fewer positions."""


class TextModelEncoder(PooledEncoder):
    """A text model; the mean of its hidden states unless told otherwise."""

    modality: Modality = "text"
    _extra = "text"

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        prompt: str = "{label}",
        **options: Any,
    ) -> None:
        super().__init__(checkpoint, **options)
        transformers = import_optional("transformers", "text")
        self.prompt = prompt
        self._tokenizer = checkpoint.load(transformers.AutoTokenizer.from_pretrained)
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        positions = getattr(self._model.config, "max_position_embeddings", None)
        self._length = min(self._tokenizer.model_max_length, positions or MAX_TOKENS, MAX_TOKENS)

    def _default_pooling(self, pooler_is_there: bool) -> str:
        return "mean"

    @property
    def n_features(self) -> int:
        """Columns of the features."""
        return int(self._model.config.hidden_size)

    @cached_property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        return self._digest(f"{tokenizer_digest(self._tokenizer)} {self._length}")

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return super().settings | {"prompt": self.prompt}

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`."""
        texts = check_texts(rows, numbers)
        out = np.empty((len(texts), self.n_features), np.float32)
        for batch in batches_by_length(texts):
            inputs = self._tokenizer(
                [texts[i] for i in batch],
                padding=True,
                truncation=True,
                max_length=self._length,
                return_tensors="pt",
            )
            out[batch] = self._run(inputs)
        return unit_rows(out, numbers)

    def encode_labels(self, labels: Sequence[Any]) -> Features:
        """See `Encoder.encode_labels`."""
        return self.encode(label_texts(labels, self.prompt))
