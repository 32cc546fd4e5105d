"""The frozen model as memories see it: its blocks, final norm, input embeddings and head."""

from __future__ import annotations

import inspect
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from faast.lm.exceptions import UnsupportedModelError
from faast.lm.folders import Source, resolve_source
from faast.lm.lm_head import LMHead

if TYPE_CHECKING:
    from faast._utils.arrays import FloatArray

NORM_NAMES = ("norm", "norm_f", "ln_f", "final_layer_norm", "final_layernorm", "embedding_norm")
POSITION_FIELDS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
FINGERPRINT_SIZE = 64
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
    hidden_size : int
        Width d of the hidden states between the blocks.
    n_positions : int or None
        Longest sequence; None where the model states none.
    """

    blocks: nn.ModuleList
    final_norm: nn.Module | None
    embeddings: nn.Embedding
    head: nn.Linear
    hidden_size: int
    n_positions: int | None


def find_architecture(model: PreTrainedModel) -> Architecture:
    """Find the parts of a model by its structure and configuration alone.

    Raises
    ------
    UnsupportedModelError
        This is not a causal language model with one list of blocks; the message says what is
        missing.
    """
    if not isinstance(model, PreTrainedModel):
        inner = hasattr(model, "merge_and_unload")
        raise UnsupportedModelError(
            f"expected a loaded Hugging Face causal language model, got {type(model).__name__}"
            + ("; give model.merge_and_unload(), which is one" if inner else "")
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
    _check_weights(model, head)
    config = model.config.get_text_config(decoder=True)
    owner, blocks = _find_blocks(model, int(config.num_hidden_layers))
    norms = (getattr(owner, name, None) for name in NORM_NAMES)
    return Architecture(
        blocks=blocks,
        final_norm=next((norm for norm in norms if norm is not None), None),
        embeddings=cast("nn.Embedding", model.get_input_embeddings()),
        head=head,
        hidden_size=int(config.hidden_size),
        n_positions=longest_sequence(model.config),
    )


def _check_weights(model: PreTrainedModel, head: nn.Module) -> None:
    """Raise `UnsupportedModelError` where weights that memories work with cannot be reached."""
    offloaded = next((name for name, part in model.named_parameters() if part.is_meta), None)
    if offloaded is not None:
        raise UnsupportedModelError(
            f"the weights of {type(model).__name__} are offloaded (such as {offloaded}): memories "
            "need them on a device; load the model without offloading to CPU or disk, in bfloat16 "
            "or spread over several GPUs where it is too large"
        )
    for name, part in (("output", head), ("input", model.get_input_embeddings())):
        weight = getattr(part, "weight", None)
        if not isinstance(weight, Tensor) or not weight.is_floating_point():
            raise UnsupportedModelError(
                f"the {name} embeddings of {type(model).__name__} are quantised: memories need "
                "them in floating point; leave them out when you quantise (such as "
                'llm_int8_skip_modules=["lm_head"]), or load the model in bfloat16'
            )


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

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    """
    if isinstance(base, str | os.PathLike):
        source = resolve_source(base, "a model")
        loaded: PreTrainedModel = AutoModelForCausalLM.from_pretrained(source, **loading)
        return loaded
    return base


@dataclass(frozen=True)
class Backbone:
    """A frozen causal language model.

    Attributes
    ----------
    model : PreTrainedModel
    architecture : Architecture
    head : LMHead
        The model's head in closed form.
    name : str
        Absolute path, or hub id, that the model was loaded by; empty where it was built in memory.
    blocks : tuple of Module
        The decoder's blocks as they were when memories were attached.
    """

    model: PreTrainedModel
    architecture: Architecture
    head: LMHead
    name: str
    blocks: tuple[nn.Module, ...]

    @classmethod
    def from_model(cls, model: PreTrainedModel) -> Backbone:
        """Find the parts of a loaded model; raises `UnsupportedModelError`."""
        architecture = find_architecture(model)
        name = model.name_or_path or ""
        if name and Path(name).is_dir():
            name = resolve_source(name)
        head = LMHead.from_model(model, architecture.head)
        return cls(model, architecture, head, name, tuple(architecture.blocks))

    @property
    def hidden_size(self) -> int:
        """Width d of the hidden states between the blocks."""
        return self.architecture.hidden_size

    @property
    def device(self) -> torch.device:
        """Device of the head."""
        return self.head.weight.device

    @property
    def foldable_bias(self) -> nn.Parameter | None:
        """Bias of the plain model that can absorb a shift of the head's input.

        It is the head's own, else that of a LayerNorm right in front of the head; None where the
        architecture has neither (RMSNorm).
        """
        bias = getattr(self.architecture.head, "bias", None)
        if bias is None and isinstance(self.architecture.final_norm, nn.LayerNorm):
            width = self.head.weight.shape[1]
            bias = self.architecture.final_norm.bias if width == self.hidden_size else None
        return bias

    def embed(self, tokens: Tensor) -> Tensor:
        """Return the input embeddings of tokens (n,): shape (n, d), the paper's output values.

        Raises
        ------
        UnsupportedModelError
            Input embeddings and hidden states differ in width.
        """
        weight = self.architecture.embeddings.weight
        values: Tensor = self.architecture.embeddings(tokens.to(weight.device))
        if values.shape[-1] != self.hidden_size:
            raise UnsupportedModelError(
                f"input embeddings have width {values.shape[-1]}, hidden states {self.hidden_size};"
                ' an output pseudo-inverse needs the same width, use output="natural"'
            )
        return values.detach()

    def normalize(self, hidden: Tensor) -> Tensor:
        """Apply the final norm to hidden states behind the last block: the input of the head."""
        norm = self.architecture.final_norm
        return hidden if norm is None else norm(hidden)

    def check_final_norm(self, last: Tensor, head_input: Tensor) -> None:
        """Check that `normalize` is all that the model does between last block and head.

        Parameters
        ----------
        last, head_input : Tensor of shape (batch, length, d)
            Hidden states of the same tokens behind the last block and in front of the head.

        Raises
        ------
        UnsupportedModelError
            The model does something else.
        """
        with torch.no_grad():
            ours = self.normalize(last)
        if ours.shape != head_input.shape or not torch.allclose(
            ours, head_input, rtol=1e-2, atol=1e-3
        ):
            raise UnsupportedModelError(
                "between its last block and its head the model does more than one norm, so the "
                "settings of the pseudo-inverse cannot be chosen on validation pairs; give "
                "MemoryConfig both alpha and interpolation"
            )

    def check_unchanged(self) -> None:
        """Check that the model still has the modules that it had when memories were attached.

        Raises
        ------
        UnsupportedModelError
            Some were replaced, as `resize_token_embeddings` does, and with them the hooks.
        """
        now, then = find_architecture(self.model), self.architecture
        same = (
            now.head is then.head
            and now.embeddings is then.embeddings
            and now.final_norm is then.final_norm
            and all(new is old for new, old in zip(now.blocks, self.blocks, strict=True))
        )
        if not same:
            raise UnsupportedModelError(
                "parts of the model were replaced after memories were attached (as "
                "resize_token_embeddings does), so that the memories would not be read; detach(), "
                "change the model first, then attach memories and learn again"
            )

    def check_head(self) -> None:
        """Check that the closed form of the head gives the logits that the model gives.

        Raises
        ------
        UnsupportedModelError
            The model does something else to its logits.
        """
        seen: list[Tensor] = []
        handle = self.architecture.head.register_forward_pre_hook(
            lambda _module, args: seen.append(args[0].detach())
        )
        try:
            with torch.no_grad():
                token = torch.zeros(1, 1, dtype=torch.long, device=self.model.device)
                logits = self.model(input_ids=token, use_cache=False).logits
        finally:
            handle.remove()
        self.head.check(seen[0][0], logits[0])

    def probe_tokens(self) -> Tensor:
        """Return one short sequence of tokens, spread over the vocabulary: shape (1, n)."""
        weight = self.architecture.embeddings.weight
        n_tokens = min(PROBE_TOKENS, self.architecture.n_positions or PROBE_TOKENS)
        return torch.linspace(0, len(weight) - 1, n_tokens, device=weight.device).long()[None]

    def fingerprint(self) -> list[float]:
        """Sample weights of the head and of the last block, to tell backbones apart."""
        last = max(self.architecture.blocks[-1].parameters(), key=Tensor.numel).detach()
        samples = []
        for weight in (self.head.weight.flatten(), last.flatten()):
            at = torch.linspace(0, len(weight) - 1, FINGERPRINT_SIZE // 2).long()
            samples.append(weight[at.to(weight.device)].float().cpu())
        return [round(value, 6) for value in torch.cat(samples).tolist()]


def check_targets(targets: Tensor, backbone: Backbone) -> None:
    """Raise ValueError where tokens of a file are outside the model's vocabulary."""
    vocabulary = min(backbone.head.vocabulary, len(backbone.architecture.embeddings.weight))
    if len(targets) and not 0 <= int(targets.min()) <= int(targets.max()) < vocabulary:
        raise ValueError(f"targets must be tokens in 0..{vocabulary - 1}")


def model_inputs(
    model: nn.Module, input_ids: Tensor, attention_mask: Tensor | None
) -> dict[str, Tensor]:
    """Return arguments of a forward pass in which padding, on either side, takes no position.

    Parameters
    ----------
    model : Module
    input_ids, attention_mask : Tensor of shape (batch, length)
    """
    inputs = {"input_ids": input_ids}
    if attention_mask is not None:
        inputs["attention_mask"] = attention_mask
        if "position_ids" in inspect.signature(model.forward).parameters:
            inputs["position_ids"] = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)
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
