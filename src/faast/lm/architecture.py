"""The frozen model as memories see it: its blocks, final norm, input embeddings and head."""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, GgufConfig, PreTrainedModel

from faast.lm.exceptions import UnsupportedModelError
from faast.lm.folders import Source, resolve_source
from faast.lm.gguf import transformers_arguments

if TYPE_CHECKING:
    from faast._utils.arrays import FloatArray

NORM_NAMES = ("norm", "norm_f", "ln_f", "final_layer_norm", "final_layernorm", "embedding_norm")
POSITION_FIELDS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
FINGERPRINT_SIZE = 256
PROBE_TOKENS = 16
HEADROOM = 4.0
"""The grid holds entries this many times larger than those of the probe tokens, and more."""
LARGEST_SCALE_RATIO = 64.0
"""Columns with small entries get a scale of at least the largest one's divided by this."""


@dataclass(frozen=True)
class Architecture:
    """The parts of a decoder that memories attach to.

    Attributes
    ----------
    blocks : ModuleList
        The decoder's blocks, in order.
    final_norm : Module or None
        The norm after the last block; None where the model has none, or under an unknown name.
    embeddings : Embedding
        Maps token ids to input embeddings.
    head : Linear
        The output embeddings (``lm_head``).
    vocabulary : int
        Number of tokens that it reads and writes.
    hidden_size : int
        Width d of the hidden states between the blocks.
    n_positions : int or None
        Longest sequence; None where the model states none.
    """

    blocks: nn.ModuleList
    final_norm: nn.Module | None
    embeddings: nn.Embedding
    head: nn.Linear
    vocabulary: int
    hidden_size: int
    n_positions: int | None


def find_architecture(model: PreTrainedModel) -> Architecture:
    """Find the parts of a decoder by its structure and configuration alone.

    Raises
    ------
    UnsupportedModelError
        It has no list of as many blocks as its configuration states.
    """
    head = cast("nn.Linear", model.get_output_embeddings())  # type: ignore[no-untyped-call]
    embeddings = cast("nn.Embedding", model.get_input_embeddings())
    config = model.config.get_text_config(decoder=True)
    owner, blocks = _find_blocks(model, int(config.num_hidden_layers))
    norms = (getattr(owner, name, None) for name in NORM_NAMES)
    return Architecture(
        blocks=blocks,
        final_norm=next((norm for norm in norms if norm is not None), None),
        embeddings=embeddings,
        head=head,
        vocabulary=common_vocabulary(embeddings, head),
        hidden_size=int(config.hidden_size),
        n_positions=longest_sequence(model.config),
    )


def common_vocabulary(embeddings: nn.Module, head: nn.Module) -> int:
    """Return how many tokens input and output embeddings both have."""
    return min(len(cast("Tensor", part.weight)) for part in (embeddings, head))


def longest_sequence(config: Any) -> int | None:
    """Return the number of positions in a model's configuration, None where it states none."""
    text = config.get_text_config(decoder=True)
    values = (getattr(text, name, None) for name in POSITION_FIELDS)
    return next((int(value) for value in values if isinstance(value, int) and value > 0), None)


def evenly_spaced_blocks(n_blocks: int, n_memories: int) -> tuple[int, ...]:
    """Return the blocks in front of which memories stand: int(s (i + 1)), s = L / (n + 1).

    Raises
    ------
    ValueError
        There are more memories than blocks behind the first.
    """
    step = n_blocks / (n_memories + 1)
    few = n_memories < n_blocks
    chosen = tuple(int(step * (i + 1)) for i in range(n_memories)) if few else (0,)
    if n_memories and (len(set(chosen)) < n_memories or 0 in chosen):
        raise ValueError(
            f"middle_layers={n_memories} is too many: each needs a block of its own to stand in "
            f"front of, and of the model's {n_blocks} blocks at most {max(n_blocks - 1, 0)} will do"
        )
    return chosen


def load_base(base: PreTrainedModel | Source, **loading: Any) -> PreTrainedModel:
    """Return a loaded model as it is, or load one by its path or hub id.

    A GGUF file is named by its path, or by ``gguf_file`` beside the folder or hub id that it is in.

    Raises
    ------
    OSError
        There is no such folder or file, and no such model on the hub.
    """
    if not isinstance(base, str | os.PathLike):
        return base
    file = loading.pop("gguf_file", None)
    source = resolve_source(base if file is None else os.path.join(base, file), "a model")  # noqa: PTH118
    arguments = transformers_arguments(source)
    if "gguf_file" in arguments:
        loading.setdefault("quantization_config", GgufConfig(dequantize=True))
    try:
        loaded: PreTrainedModel = AutoModelForCausalLM.from_pretrained(**arguments, **loading)
    except OSError as error:
        if os.path.exists(source):  # noqa: PTH110
            raise
        raise OSError(
            f"there is no folder {source}, and Hugging Face gave no model of that name: "
            f"{str(error).partition(chr(10))[0]}"
        ) from error
    loaded.name_or_path = source
    return loaded


def model_inputs(
    model: nn.Module, input_ids: Tensor, attention_mask: Tensor | None
) -> dict[str, Tensor]:
    """Return arguments of a forward pass in which padding, on either side, takes no position.

    Parameters
    ----------
    model : Module
    input_ids, attention_mask : Tensor of shape (batch, length)
        The mask is 0 on padding, and any other number on tokens.
    """
    inputs = {"input_ids": input_ids}
    if attention_mask is not None:
        real = (attention_mask != 0).long()
        inputs["attention_mask"] = real
        if "position_ids" in inspect.signature(model.forward).parameters:
            inputs["position_ids"] = (real.cumsum(-1) - 1).clamp(min=0)
    return inputs


def grid_scale(rows: Tensor) -> FloatArray:
    """Return the scale of a grid for exact sums of rows like these (n, d): shape (d,).

    Scales are powers of two, one per column: outlier coordinates of hidden states are orders of
    magnitude larger than others. They depend on the backbone alone, so that memories which learned
    apart can be merged.
    """
    largest = rows.float().abs().amax(dim=0)
    largest = largest.clamp(min=float(largest.max()) / LARGEST_SCALE_RATIO + 1e-12)
    return np.asarray(torch.exp2(torch.ceil(torch.log2(HEADROOM * largest))).double().cpu())


def _find_blocks(model: nn.Module, n_blocks: int) -> tuple[nn.Module, nn.ModuleList]:
    for owner in model.modules():  # parents come before their children
        for child in owner.children():
            if isinstance(child, nn.ModuleList) and len(child) == n_blocks:
                return owner, child
    raise UnsupportedModelError(
        f"{type(model).__name__} has no list of {n_blocks} blocks (num_hidden_layers) to attach to"
    )
