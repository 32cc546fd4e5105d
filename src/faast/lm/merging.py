"""Folding: a plain model whose output embeddings hold what a memory learned."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from faast.lm.architecture import Backbone, dissect
from faast.lm.hooks import HEAD, attachments, strip
from faast.lm.natural_memory import NaturalOutput

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from faast.lm.memory import NamedMemory
    from faast.lm.natural import Shift


class FoldingError(ValueError):
    """A memory that a plain model cannot hold."""


def fold(backbone: Backbone, memory: NamedMemory) -> PreTrainedModel:
    """Return an independent copy of the model with a memory merged into its output embeddings.

    Notes
    -----
    (h + h A + b) Eᵀ = h (E + E Aᵀ)ᵀ + E b. The bias goes to the head's own bias, or, where the head
    has none, through c (I + A) = b to that of the LayerNorm in front of it.

    Raises
    ------
    FoldingError
        The memory is no linear map of what feeds the head, or the copy's logits differ.
    """
    for part in memory.middle:
        if part.count and bool(part.readout.out_proj.weight.any()):
            raise FoldingError(
                "a middle memory stands in front of further blocks and cannot be merged into the "
                "head; only the output memory folds"
            )
    output = memory.output
    if output is not None and output.count and not isinstance(output, NaturalOutput):
        raise FoldingError(
            "a pseudo-inverse reads before the final norm, which is not linear; only "
            'MemoryConfig(output="natural") folds'
        )
    if isinstance(output, NaturalOutput) and output.count and output.lift is not None:
        raise FoldingError(
            "lifted keys are no linear map of what feeds the head; learn with lift=False to fold"
        )
    shared = {id(one): one for one in attachments(backbone.model)}
    plain = copy.deepcopy(backbone.model, shared)  # without a copy of the memories themselves
    strip(plain)
    if isinstance(output, NaturalOutput) and output.count:
        _untie(plain)
        _shift_head(Backbone.of(plain), output.shift)
        _require_same_logits(plain, backbone, output)
    return plain


def _shift_head(plain: Backbone, shift: Shift) -> None:
    matrix, bias = shift
    head, embeddings = plain.anatomy.head, plain.head.weight
    moved = torch.empty_like(embeddings)
    extra = torch.empty(len(embeddings), device=embeddings.device)
    for at in plain.head.chunks(len(embeddings)):
        rows = embeddings[at].float()
        moved[at] = (rows + rows @ matrix.T).to(moved.dtype)
        extra[at] = rows @ bias
    home = plain.bias_home
    head.weight = nn.Parameter(moved, requires_grad=False)
    if home is None:
        return
    if home is head.bias:
        change: Tensor = extra
    else:
        full = matrix.double() + torch.eye(len(matrix), dtype=torch.float64, device=matrix.device)
        change = torch.linalg.solve(full.T, bias.double())
    with torch.no_grad():
        home.copy_((home.double() + change.double()).to(home.dtype))


def _untie(plain: PreTrainedModel) -> None:
    head = dissect(plain).head
    head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)
    for config in (plain.config, plain.config.get_text_config(decoder=True)):
        config.tie_word_embeddings = False
    plain.all_tied_weights_keys = plain.get_expanded_tied_weights_keys(all_submodels=True)


def _require_same_logits(plain: PreTrainedModel, backbone: Backbone, output: NaturalOutput) -> None:
    tokens = backbone.probe_tokens()
    with torch.no_grad():
        folded = plain(input_ids=tokens, use_cache=False).logits.float()
        expected = backbone.head.logits(output.read(_plain_feed(backbone, tokens))[0])
    tolerance = 1e-3 if plain.dtype == torch.float32 else 5e-2
    if float((folded[0] - expected).abs().max()) > tolerance * float(expected.abs().max() + 1e-6):
        raise FoldingError(
            "the folded model's logits differ from the memory's; this architecture does something "
            "between its final norm and its head that a plain copy cannot hold"
        )


def _plain_feed(backbone: Backbone, tokens: Tensor) -> Tensor:
    """Return what feeds the head when no memory reads, shape (1, n, d)."""
    attachment = attachments(backbone.model)[0]
    return attachment.hidden_states(backbone.model, {"input_ids": tokens})[HEAD]
