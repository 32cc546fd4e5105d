"""Single-tower transformers models, with their hidden states pooled into one row."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from faast.encoders.base import Encoder, Features, digest_of
from faast.encoders.hub import Checkpoint
from faast.encoders.torch_models import (
    load_model,
    pick_device,
    to_device,
    to_float32,
    weights_digest,
)
from faast.optional import require

POOLINGS = ("mean", "cls", "pooler")


class PooledEncoder(Encoder):
    """What `TextModelEncoder` and `PictureModelEncoder` share.

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
        self._torch = require("torch", self._extra)
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
