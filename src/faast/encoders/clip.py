"""Two-tower models of images and text: CLIP, SigLIP and relatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from faast._utils.imports import import_optional
from faast.data.images import read_images
from faast.data.reader import Modality
from faast.encoders.base import Encoder, Features, digest_of, label_texts, unit_rows
from faast.encoders.checkpoint import Checkpoint
from faast.encoders.torch_utils import (
    BATCH_ROWS,
    image_settings,
    load_model,
    pick_device,
    to_device,
    to_float32,
    tokenizer_digest,
    weights_digest,
)


class ClipEncoder(Encoder):
    """The image tower for images, the text tower for class names.

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
    semantic = True

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
        transformers = import_optional("transformers", "image")
        self._torch = import_optional("torch", "image")
        import_optional("PIL.Image", "image")
        self.name, self.dtype, self.prompt = f"clip:{checkpoint}", dtype, prompt
        self.checkpoint = Checkpoint.resolve(checkpoint, revision, trust_remote_code, "image")
        self._device = pick_device(self._torch, device)
        loaded = load_model(self.checkpoint, self._device, dtype, "image")
        if not hasattr(loaded.model, "get_image_features") or loaded.missing:
            raise ValueError(
                f"{checkpoint!r} ({type(loaded.model).__name__}) is no complete two-tower model of "
                f'images and text; for a plain model use "hf:{checkpoint}"'
            )
        self._model = loaded.model
        self._processor = self.checkpoint.load(
            transformers.AutoImageProcessor.from_pretrained, backend="pil"
        )
        self._tokenizer = self.checkpoint.load(transformers.AutoTokenizer.from_pretrained)

    @cached_property
    def n_features(self) -> int:
        """Columns of the features."""
        return int(self._embed_texts(["a"]).shape[1])

    @cached_property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        return digest_of(
            "clip",
            self.dtype,
            image_settings(self._processor),
            tokenizer_digest(self._tokenizer),
            weights_digest(self._torch, self._model),
        )

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return {
            "name": self.name,
            "revision": self.checkpoint.revision,
            "dtype": self.dtype,
            "prompt": self.prompt,
        }

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`.

        Raises
        ------
        ValueError
            A image cannot be read.
        """
        out = np.empty((len(rows), self.n_features), np.float32)
        for start in range(0, len(rows), BATCH_ROWS):
            batch = slice(start, start + BATCH_ROWS)
            inputs = self._processor(
                images=read_images(rows[batch], numbers[batch]), return_tensors="pt"
            )
            out[batch] = self._run(self._model.get_image_features, inputs)
        return unit_rows(out, numbers)

    def encode_labels(self, labels: Sequence[Any]) -> Features:
        """See `Encoder.encode_labels`."""
        texts = label_texts(labels, self.prompt)
        return unit_rows(self._embed_texts(texts), range(len(texts)))

    def _embed_texts(self, texts: list[str]) -> Features:
        # Some of these models were trained on full-length padding only; the others do not mind it.
        length = self._model.config.text_config.max_position_embeddings
        parts = [
            self._run(
                self._model.get_text_features,
                self._tokenizer(
                    texts[start : start + BATCH_ROWS],
                    padding="max_length",
                    max_length=min(length, self._tokenizer.model_max_length),
                    truncation=True,
                    return_tensors="pt",
                ),
            )
            for start in range(0, len(texts), BATCH_ROWS)
        ]
        return np.concatenate(parts)

    def _run(self, tower: Callable[..., Any], inputs: Any) -> Features:
        inputs = to_device(inputs, self._device, self._model.dtype)
        with self._torch.inference_mode():
            return to_float32(tower(**inputs).pooler_output)
