"""Text and image models of transformers, with their hidden states pooled to one vector per row."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from faast._utils.imports import import_optional
from faast.data.images import read_images
from faast.encoders.base import Features, check_texts, label_texts, unit_rows
from faast.encoders.checkpoint import Checkpoint
from faast.encoders.checkpoint_encoder import CheckpointEncoder
from faast.encoders.digests import fingerprint_of
from faast.encoders.torch_utils import (
    batches_by_length,
    batches_in_order,
    image_settings,
    load_model,
    to_device,
    to_float32,
    tokenizer_digest,
    weights_digest,
)

POOLINGS = ("mean", "cls", "pooler")

MAX_TOKENS = 512
"""Tokens of a text that are read, or fewer if the model has fewer positions."""


class PooledEncoder(CheckpointEncoder):
    """The base of `TextModelEncoder` and `ImageModelEncoder`.

    Parameters
    ----------
    checkpoint : Checkpoint
    pooling : {"mean", "cls", "pooler"}, optional
        Use the mean of the hidden states, the first hidden state, or the pooled output of the
        model itself.
    **options
        `device` and `dtype`; see `CheckpointEncoder`.

    Raises
    ------
    EncoderUnavailableError
        If the checkpoint cannot be read.
    ValueError
        If the pooling is unknown, or the checkpoint lacks weights that are needed.
    """

    prefix = "hf"

    def __init__(
        self, checkpoint: Checkpoint, *, pooling: str | None = None, **options: Any
    ) -> None:
        if pooling not in (None, *POOLINGS):
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, got {pooling!r}")
        super().__init__(checkpoint, **options)
        self._model, self._missing = load_model(checkpoint, self._device, self.dtype, self.extra)
        has_pooler = not any("pooler" in name for name in self._missing)
        self.pooling = pooling or self._default_pooling(has_pooler)
        needed = {name for name in self._missing if "pooler" not in name}
        if needed or (self.pooling == "pooler" and not has_pooler):
            raise ValueError(
                f"{checkpoint.name!r} does not hold {', '.join(sorted(needed or self._missing))}, "
                "so these weights would be random; "
                + ("use another checkpoint" if needed else 'use pooling "mean" or "cls"')
            )

    @abstractmethod
    def _default_pooling(self, has_pooler: bool) -> str: ...

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return super().settings | {"pooling": self.pooling}

    def _fingerprint(self, preparation: str) -> str:
        weights = weights_digest(self._torch, self._model, self._missing)
        return fingerprint_of("pooled", self.dtype, self.pooling, preparation, weights)

    def _run(self, inputs: Any) -> Features:
        """Run the model on a batch and pool its hidden states, shape (n, n_features)."""
        inputs = to_device(inputs, self._device, self._model.dtype)
        with self._torch.inference_mode():
            output = self._model(**inputs)
        if self.pooling == "pooler":
            if output.get("pooler_output") is None:
                raise ValueError(f'{self.name} has no pooled output; use pooling "mean" or "cls"')
            return to_float32(output.pooler_output)
        hidden = output.last_hidden_state
        if hidden.ndim == 4:  # convolutional models: (n, channels, height, width)
            hidden = hidden.flatten(2).transpose(1, 2)
        if self.pooling == "cls":
            return to_float32(hidden[:, 0])
        mask = inputs.get("attention_mask")
        if mask is None:
            return to_float32(hidden.float().mean(1))
        shares = (mask / mask.sum(1, keepdim=True)).float()
        return to_float32((hidden.float() * shares[..., None]).sum(1))


class TextModelEncoder(PooledEncoder):
    """Encode texts with a text model; the default pooling is the mean.

    Parameters
    ----------
    checkpoint : Checkpoint
    prompt : str
        Text into which each class name is put, in place of "{label}".
    **options
        `pooling`, `device` and `dtype`; see `PooledEncoder`.
    """

    modality = "text"
    extra = "text"
    packages = ("transformers", "torch")

    def __init__(self, checkpoint: Checkpoint, *, prompt: str = "{label}", **options: Any) -> None:
        super().__init__(checkpoint, **options)
        self.prompt = prompt
        transformers = import_optional("transformers", self.extra)
        self._tokenizer = checkpoint.load(transformers.AutoTokenizer.from_pretrained)
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        positions = getattr(self._model.config, "max_position_embeddings", None)
        self._length = min(self._tokenizer.model_max_length, positions or MAX_TOKENS, MAX_TOKENS)

    def _default_pooling(self, has_pooler: bool) -> str:
        return "mean"

    @property
    def n_features(self) -> int:
        """Number of columns of the features."""
        return int(self._model.config.hidden_size)

    @cached_property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        return self._fingerprint(f"{tokenizer_digest(self._tokenizer)} {self._length}")

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return super().settings | {"prompt": self.prompt}

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`."""
        texts = check_texts(rows, numbers)
        self.report_cut(texts, self._tokenizer, self._length)
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


class ImageModelEncoder(PooledEncoder):
    """Encode images with an image model, such as DINOv2.

    The default pooling is "pooler" if the checkpoint has a pooled output, or else "cls".

    Parameters
    ----------
    checkpoint : Checkpoint
    **options
        `pooling`, `device` and `dtype`; see `PooledEncoder`.
    """

    modality = "image"
    extra = "image"
    packages = ("transformers", "torch", "PIL.Image")

    def __init__(self, checkpoint: Checkpoint, **options: Any) -> None:
        super().__init__(checkpoint, **options)
        transformers = import_optional("transformers", self.extra)
        self._processor = checkpoint.load(
            transformers.AutoImageProcessor.from_pretrained, backend="pil"
        )

    def _default_pooling(self, has_pooler: bool) -> str:
        return "pooler" if has_pooler else "cls"

    @cached_property
    def n_features(self) -> int:
        """Number of columns of the features."""
        return int(self._embed([np.zeros((8, 8, 3), np.uint8)], [0]).shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        return self._fingerprint(image_settings(self._processor))

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`."""
        out = np.empty((len(rows), self.n_features), np.float32)
        for batch in batches_in_order(len(rows)):
            out[batch] = self._embed(rows[batch], numbers[batch])
        return unit_rows(out, numbers)

    def _embed(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        images = read_images(rows, numbers)
        return self._run(self._processor(images=images, return_tensors="pt"))


def load_transformers_encoder(
    checkpoint: str,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
    **options: Any,
) -> PooledEncoder:
    """Load a text or an image model, whichever the configuration of the checkpoint describes.

    Parameters
    ----------
    checkpoint, revision, trust_remote_code, allow_pickle
        See `CheckpointEncoder.from_pretrained`.
    **options
        Arguments of `TextModelEncoder` or `ImageModelEncoder`.

    Raises
    ------
    ImportError
        If a package is missing; the message says what to install.
    EncoderUnavailableError
        If the checkpoint cannot be found, reached or read.
    ValueError
        If the checkpoint is neither a text encoder nor an image model.
    """
    transformers = import_optional("transformers", "text")
    found = Checkpoint.resolve(checkpoint, revision, trust_remote_code, "text", allow_pickle)
    config = found.load(transformers.AutoConfig.from_pretrained)
    kind = _encoder_class(checkpoint, config)
    kind.check_packages()
    return kind(found, **options)


def _encoder_class(checkpoint: str, config: Any) -> type[PooledEncoder]:
    # Some image models have a vocabulary too, of visual tokens, but none has text positions.
    if hasattr(config, "num_channels") and not hasattr(config, "max_position_embeddings"):
        return ImageModelEncoder
    if hasattr(config, "vocab_size") and not config.is_encoder_decoder:
        return TextModelEncoder
    two_towers = hasattr(config, "text_config") and hasattr(config, "vision_config")
    advice = f'it has two towers, use "clip:{checkpoint}"' if two_towers else "use another model"
    raise ValueError(
        f"{checkpoint!r} ({config.model_type}) is neither a text encoder nor an image model; "
        f"{advice}"
    )
