"""Text models of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from faast.encoders.base import Features, Modality, label_texts, unit_rows
from faast.encoders.content import check_texts
from faast.encoders.hub import Checkpoint
from faast.encoders.pooled import PooledEncoder
from faast.encoders.torch_models import batches_by_length, tokenizer_digest
from faast.optional import require

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
        transformers = require("transformers", "text")
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
