"""Shared by the encoders that run torch: device, number type, and a digest of the weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faast._utils.imports import import_optional
from faast.encoders.checkpoint import Checkpoint

BATCH_ROWS = 64
"""Rows in one forward pass."""

PROBE = "Don't PANIC: 3.14 naïve cafés, 東京 & e-mail_ids?"

_PICTURE_SETTINGS = (
    "do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale",
    "rescale_factor", "do_normalize", "image_mean", "image_std", "do_pad",
)  # fmt: skip


def pick_device(torch: Any, device: str | None) -> str:
    """Return the device asked for, else the first accelerator, else the processor."""
    if device is not None:
        return str(torch.device(device))
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def pick_dtype(torch: Any, dtype: str) -> Any:
    """Return torch's type of that name.

    Raises
    ------
    ValueError
        It is none of float32, float16 and bfloat16.
    """
    if dtype not in ("float32", "float16", "bfloat16"):
        raise ValueError(f'dtype must be "float32", "float16" or "bfloat16", got {dtype!r}')
    return getattr(torch, dtype)


class LoadedModel(NamedTuple):
    """A model and the tensors that its checkpoint did not hold."""

    model: Any
    missing: frozenset[str]


def load_model(checkpoint: Checkpoint, device: str, dtype: str, extra: str) -> LoadedModel:
    """Load a transformers model for inference.

    Raises
    ------
    EncoderUnavailableError
        The checkpoint cannot be read.
    """
    torch, transformers = import_optional("torch", extra), import_optional("transformers", extra)
    model, report = checkpoint.load(
        transformers.AutoModel.from_pretrained,
        dtype=pick_dtype(torch, dtype),
        output_loading_info=True,
    )
    return LoadedModel(model.to(device).eval(), frozenset(report["missing_keys"]))


def weights_digest(torch: Any, model: Any, missing: Collection[str] = ()) -> str:
    """Digest the tensors of a model, whatever they are called and wherever they lie.

    Parameters
    ----------
    torch : module
    model : torch.nn.Module
    missing : collection of str
        Tensors that the checkpoint did not hold, so that they are random: left out.
    """
    digests = []
    for name, tensor in model.state_dict().items():
        if name in missing:
            continue
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(flat.view(torch.uint8).numpy().data)
        digests.append(digest.hexdigest())
    return "\n".join(sorted(digests))


def tokenizer_digest(tokenizer: Any) -> str:
    """Describe the tokens and how a probe sentence falls into them."""
    vocabulary = sorted(tokenizer.get_vocab().items())
    return json.dumps([vocabulary, list(tokenizer(PROBE)["input_ids"])])


def image_settings(processor: Any) -> str:
    """Describe how images are scaled, cropped and normalised."""
    settings = {name: getattr(processor, name, None) for name in _PICTURE_SETTINGS}
    return json.dumps(settings, default=dict, sort_keys=True)


def to_device(inputs: Any, device: str, dtype: Any) -> dict[str, Any]:
    """Move model inputs, images as numbers of the model's type."""
    return {
        name: tensor.to(device, dtype) if tensor.is_floating_point() else tensor.to(device)
        for name, tensor in inputs.items()
    }


def to_float32(tensor: Any) -> NDArray[np.float32]:
    """Copy a tensor off its device, one flat row a row, shape (n, d)."""
    flat = tensor.detach().float().cpu().numpy()
    return np.asarray(flat.reshape(len(flat), -1), np.float32)


def batches_by_length(texts: Sequence[str]) -> Iterator[NDArray[np.int64]]:
    """Yield row numbers in batches of texts of like length, so that little is padding."""
    order = np.argsort([-len(text) for text in texts], kind="stable")
    for start in range(0, len(order), BATCH_ROWS):
        yield order[start : start + BATCH_ROWS]
