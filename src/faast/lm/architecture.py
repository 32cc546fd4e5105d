"""Where the parts of a decoder are: blocks, final norm, input and output embeddings.

The frozen model as memories see it.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from faast.lm.exceptions import UnsupportedModelError
from faast.lm.lm_head import OutputHead, output_head, require_known_head

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from faast._utils.arrays import FloatArray

NORM_NAMES = ("norm", "norm_f", "ln_f", "final_layer_norm", "final_layernorm", "embedding_norm")
POSITION_FIELDS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")


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


FINGERPRINT_SIZE = 64
PROBE_TOKENS = 16
HEADROOM = 4.0
FLATTEST = 64.0


@dataclass(frozen=True)
class Backbone:
    """A frozen causal language model, its parts and its head in closed form."""

    model: PreTrainedModel
    anatomy: Anatomy
    head: OutputHead

    @classmethod
    def of(cls, model: PreTrainedModel) -> Backbone:
        """Dissect a loaded model; raises `UnsupportedModelError`."""
        anatomy = dissect(model)
        return cls(model, anatomy, output_head(model, anatomy.head))

    @property
    def hidden_size(self) -> int:
        """Width of the stream between the blocks."""
        return self.anatomy.hidden_size

    @property
    def device(self) -> torch.device:
        """Where hidden states feed the head."""
        return self.head.weight.device

    def token_values(self, tokens: Tensor) -> Tensor:
        """Input embeddings of tokens (n,), shape (n, d): the paper's output values.

        Raises
        ------
        UnsupportedModelError
            Input embeddings of another width than the hidden states.
        """
        values: Tensor = self.anatomy.embeddings(tokens.to(self.anatomy.embeddings.weight.device))
        if values.shape[-1] != self.hidden_size:
            raise UnsupportedModelError(
                f"input embeddings have width {values.shape[-1]}, hidden states {self.hidden_size};"
                ' an output pseudo-inverse needs them alike, use output="natural"'
            )
        return values.detach()

    def feed(self, hidden: Tensor) -> Tensor:
        """Turn hidden states behind the last block into what feeds the head."""
        norm = self.anatomy.final_norm
        return hidden if norm is None else norm(hidden)

    def require_known_feed(self, last: Tensor, fed: Tensor) -> None:
        """Check that `feed` is what the model does between its last block and its head.

        Raises
        ------
        UnsupportedModelError
            It does something else.
        """
        with torch.no_grad():
            ours = self.feed(last)
        if ours.shape != fed.shape or not torch.allclose(ours, fed, rtol=1e-2, atol=1e-3):
            raise UnsupportedModelError(
                "between its last block and its head the model does more than one norm, so the "
                "interpolation cannot be chosen from held-out blocks; give MemoryConfig an "
                "interpolation and an alpha"
            )

    def require_known_head(self) -> None:
        """Check that the closed form of the head gives the logits that the model gives.

        Raises
        ------
        UnsupportedModelError
            The model does something else to its logits.
        """
        fed: list[Tensor] = []
        handle = self.anatomy.head.register_forward_pre_hook(
            lambda _module, args: fed.append(args[0].detach())
        )
        try:
            with torch.no_grad():
                token = torch.zeros(1, 1, dtype=torch.long, device=self.model.device)
                logits = self.model(input_ids=token, use_cache=False).logits
        finally:
            handle.remove()
        require_known_head(self.head, fed[0][0], logits[0])

    @property
    def bias_home(self) -> nn.Parameter | None:
        """A bias of the plain model that a shift of the head's inputs can be folded into.

        The head's own, else that of a LayerNorm right in front of the head; None where the
        architecture has neither (RMSNorm).
        """
        bias = getattr(self.anatomy.head, "bias", None)
        if bias is None and isinstance(self.anatomy.final_norm, nn.LayerNorm):
            width = self.head.weight.shape[1]
            bias = self.anatomy.final_norm.bias if width == self.hidden_size else None
        return bias

    def probe_tokens(self) -> Tensor:
        """Tokens of one short sequence, spread over the vocabulary, shape (1, n)."""
        weight = self.anatomy.embeddings.weight
        n_tokens = min(PROBE_TOKENS, self.anatomy.n_positions or PROBE_TOKENS)
        return torch.linspace(0, len(weight) - 1, n_tokens, device=weight.device).long()[None]

    def fingerprint(self) -> list[float]:
        """Sample weights of the head and of the last block, to tell backbones apart."""
        last = max(self.anatomy.blocks[-1].parameters(), key=Tensor.numel).detach()
        samples = []
        for weight in (self.head.weight.flatten(), last.flatten()):
            at = torch.linspace(0, len(weight) - 1, FINGERPRINT_SIZE // 2).long()
            samples.append(weight[at.to(weight.device)].float().cpu())
        return [round(value, 6) for value in torch.cat(samples).tolist()]


def model_inputs(
    model: nn.Module, input_ids: Tensor, attention_mask: Tensor | None
) -> dict[str, Tensor]:
    """Arguments of a forward pass in which padding on either side counts no position."""
    inputs = {"input_ids": input_ids}
    if attention_mask is not None:
        inputs["attention_mask"] = attention_mask
        if "position_ids" in inspect.signature(model.forward).parameters:
            inputs["position_ids"] = (attention_mask.long().cumsum(-1) - 1).clamp(min=0)
    return inputs


def grid_scale(rows: Tensor) -> FloatArray:
    """Powers of two that put rows like these (n, d) well inside the grid of exact moments.

    One a column: outlier coordinates of hidden states are orders of magnitude larger than others.
    It depends on the backbone alone, so that memories learned apart merge.
    """
    largest = rows.float().abs().amax(dim=0)
    largest = largest.clamp(min=float(largest.max()) / FLATTEST + 1e-12)
    return np.asarray(torch.exp2(torch.ceil(torch.log2(HEADROOM * largest))).double().cpu())
