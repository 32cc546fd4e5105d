"""What the encoders that run torch share: loading models, moving tensors, digesting weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from faast._utils.imports import import_optional
from faast.encoders.base import Features
from faast.encoders.checkpoint import Checkpoint

BATCH_ROWS = 64
"""Most rows in one forward pass."""

_PROBE = "Don't PANIC: 3.14 naïve cafés, 東京 & e-mail_ids?"
"""A text that different tokenizers cut differently."""

_IMAGE_SETTINGS = (
    "do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale",
    "rescale_factor", "do_normalize", "image_mean", "image_std", "do_pad",
)  # fmt: skip


def pick_device(torch: Any, device: str | None) -> str:
    """Return the requested device, or else the first accelerator, or else the CPU."""
    if device is not None:
        return str(torch.device(device))
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def pick_dtype(torch: Any, dtype: str) -> Any:
    """Return the torch type with this name.

    Raises
    ------
    ValueError
        If it is none of float32, float16 and bfloat16.
    """
    if dtype not in ("float32", "float16", "bfloat16"):
        raise ValueError(f'dtype must be "float32", "float16" or "bfloat16", got {dtype!r}')
    return getattr(torch, dtype)


class LoadedModel(NamedTuple):
    """A model, and the names of its tensors that the checkpoint did not hold."""

    model: Any
    missing: frozenset[str]


def load_model(checkpoint: Checkpoint, device: str, dtype: str, extra: str) -> LoadedModel:
    """Load a model of transformers for inference.

    Parameters
    ----------
    checkpoint : Checkpoint
    device : str
    dtype : {"float32", "float16", "bfloat16"}
    extra : str
        The extra of faast that installs torch and transformers.

    Raises
    ------
    EncoderUnavailableError
        If the checkpoint cannot be read.
    ValueError
        If `dtype` is none of the above.
    """
    torch, transformers = import_optional("torch", extra), import_optional("transformers", extra)
    model, report = checkpoint.load(
        transformers.AutoModel.from_pretrained,
        dtype=pick_dtype(torch, dtype),
        output_loading_info=True,
        **checkpoint.weights_options,
    )
    return LoadedModel(model.to(device).eval(), frozenset(report["missing_keys"]))


def weights_digest(torch: Any, model: Any, missing: Collection[str] = ()) -> str:
    """Digest the values of a model's tensors, whatever their names, order and device.

    Parameters
    ----------
    torch : module
    model : torch.nn.Module
    missing : collection of str
        Names of the tensors to leave out: those that the checkpoint did not hold are random.
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
    """Describe a tokenizer as JSON: its vocabulary, and the tokens of a probe text."""
    vocabulary = sorted(tokenizer.get_vocab().items())
    return json.dumps([vocabulary, list(tokenizer(_PROBE)["input_ids"])])


def image_settings(processor: Any) -> str:
    """Describe as JSON how an image processor scales, crops and normalises images."""
    settings = {name: getattr(processor, name, None) for name in _IMAGE_SETTINGS}
    return json.dumps(settings, default=dict, sort_keys=True)


def to_device(inputs: Any, device: str, dtype: Any) -> dict[str, Any]:
    """Move the inputs of a model to its device, and floating-point inputs to its dtype."""
    return {
        name: tensor.to(device, dtype) if tensor.is_floating_point() else tensor.to(device)
        for name, tensor in inputs.items()
    }


def to_float32(tensor: Any) -> Features:
    """Copy a tensor to numpy and flatten all axes but the first, shape (n, d)."""
    array = tensor.detach().float().cpu().numpy()
    return np.asarray(array.reshape(len(array), -1), np.float32)


def batches_in_order(n_rows: int) -> Iterator[slice]:
    """Yield slices that cut rows into batches of at most `BATCH_ROWS`."""
    for start in range(0, n_rows, BATCH_ROWS):
        yield slice(start, start + BATCH_ROWS)


def batches_by_length(texts: Sequence[str]) -> Iterator[NDArray[np.int64]]:
    """Yield the indices of texts in batches of similar length, longest first, to pad little."""
    order = np.argsort([-len(text) for text in texts], kind="stable")
    for batch in batches_in_order(len(order)):
        yield order[batch]
