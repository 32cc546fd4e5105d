"""Where the parts of a decoder are: blocks, final norm, input and output embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from torch import nn
from transformers import PreTrainedModel

NORM_NAMES = ("norm", "norm_f", "ln_f", "final_layer_norm", "final_layernorm", "embedding_norm")
POSITION_FIELDS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")


class UnsupportedModelError(ValueError):
    """A model whose parts cannot be found or cannot carry what was asked."""


@dataclass(frozen=True)
class Anatomy:
    """The parts of a decoder that memories attach to.

    Attributes
    ----------
    blocks : ModuleList
        The decoder's blocks, in order.
    final_norm : Module or None
        The norm after the last block, None where the model has none or under an unknown name.
    embeddings : Embedding
        Token ids to input embeddings.
    head : Linear
        The linear output embeddings (``lm_head``).
    hidden_size : int
        Width of the stream between the blocks, d.
    n_positions : int or None
        Longest sequence, None where the model states none.
    """

    blocks: nn.ModuleList
    final_norm: nn.Module | None
    embeddings: nn.Embedding
    head: nn.Linear
    hidden_size: int
    n_positions: int | None


def dissect(model: PreTrainedModel) -> Anatomy:
    """Find the parts by structure and configuration alone.

    Raises
    ------
    UnsupportedModelError
        No causal language model with a plain stack of blocks; says what is missing.
    """
    if not isinstance(model, PreTrainedModel):
        raise UnsupportedModelError(
            f"expected a loaded Hugging Face causal language model, got {type(model).__name__}"
        )
    if getattr(model.config, "is_encoder_decoder", False):
        raise UnsupportedModelError(
            f"{type(model).__name__} is an encoder-decoder; memories attach to decoder-only models"
        )
    head = cast("nn.Linear | None", model.get_output_embeddings())  # type: ignore[no-untyped-call]
    if head is None:
        raise UnsupportedModelError(
            f"{type(model).__name__} has no output embeddings; load it with AutoModelForCausalLM"
        )
    config = model.config.get_text_config(decoder=True)
    owner, blocks = _find_blocks(model, int(config.num_hidden_layers))
    norms = (getattr(owner, name, None) for name in NORM_NAMES)
    return Anatomy(
        blocks=blocks,
        final_norm=next((norm for norm in norms if norm is not None), None),
        embeddings=cast("nn.Embedding", model.get_input_embeddings()),
        head=head,
        hidden_size=int(config.hidden_size),
        n_positions=longest_sequence(model.config),
    )


def longest_sequence(config: Any) -> int | None:
    """Return how many positions a model's configuration states, None where it states none."""
    text = config.get_text_config(decoder=True)
    values = (getattr(text, name, None) for name in POSITION_FIELDS)
    return next((int(value) for value in values if isinstance(value, int) and value > 0), None)


def middle_places(n_blocks: int, middle_layers: int) -> tuple[int, ...]:
    """Return the blocks that memories stand in front of: int(s (i + 1)), s = L / (n + 1).

    Raises
    ------
    ValueError
        More memories than there are distinct places.
    """
    step = n_blocks / (middle_layers + 1)
    places = tuple(int(step * (i + 1)) for i in range(middle_layers))
    if len(set(places)) < middle_layers or 0 in places:
        raise ValueError(
            f"middle_layers={middle_layers} needs as many blocks to stand in front of; the model "
            f"has {n_blocks} blocks, so at most {max(n_blocks - 1, 0)}"
        )
    return places


def _find_blocks(model: nn.Module, n_blocks: int) -> tuple[nn.Module, nn.ModuleList]:
    for owner in model.modules():  # parents come before their children
        for child in owner.children():
            if isinstance(child, nn.ModuleList) and len(child) == n_blocks:
                return owner, child
    raise UnsupportedModelError(
        f"{type(model).__name__} has no list of {n_blocks} blocks (num_hidden_layers) to attach to"
    )
