"""Folding: merge what an output memory has learned into the head of a plain copy of the model."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from faast.lm.architecture import find_architecture
from faast.lm.backbone import Backbone
from faast.lm.exceptions import FoldingError
from faast.lm.hooks import HEAD, find_hooks, remove_all_hooks
from faast.lm.lm_head import logits_agree

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from faast.lm.base import Shift
    from faast.lm.hooks import Hooks
    from faast.lm.memory import Memory


def fold(backbone: Backbone, memory: Memory, hooks: Hooks) -> PreTrainedModel:
    """Return an independent copy of the model with a memory merged into its output embeddings.

    Parameters
    ----------
    backbone : Backbone
    memory : Memory
    hooks : Hooks
        Those by which the memory reads the model.

    Notes
    -----
    (h + h A + b) Eᵀ = h (E + E Aᵀ)ᵀ + E b. The bias goes to the head's own bias, or, where the head
    has none, through c (I + A) = b to that of the LayerNorm in front of it.

    Raises
    ------
    FoldingError
        The memory is not a linear map of the head's input, the model is offloaded, or the copy's
        logits differ.
    """
    shift = memory.head_shift()
    if any(weight.is_meta for weight in backbone.model.parameters()):
        raise FoldingError(
            "weights of the model are offloaded, and a copy could not be used apart from it; load "
            "the model whole, with the memory, to fold"
        )
    shared = {id(one): one for one in find_hooks(backbone.model)}
    plain = copy.deepcopy(backbone.model, shared)
    remove_all_hooks(plain)
    if shift is not None:
        _untie(plain)
        _shift_head(Backbone.from_model(plain), shift)
        _check_logits(plain, backbone, memory, hooks)
    return plain


def _shift_head(plain: Backbone, shift: Shift) -> None:
    matrix, bias = shift
    head, embeddings = plain.architecture.head, plain.head.weight
    moved = torch.empty_like(embeddings)
    extra = torch.empty(len(embeddings), device=embeddings.device)
    for at in plain.head.chunks(len(embeddings)):
        rows = embeddings[at].float()
        moved[at] = (rows + rows @ matrix.T).to(moved.dtype)
        extra[at] = rows @ bias
    target = plain.foldable_bias
    head.weight = nn.Parameter(moved, requires_grad=False)
    if target is None:
        return
    if target is head.bias:
        change: Tensor = extra
    else:
        full = matrix.double() + torch.eye(len(matrix), dtype=torch.float64, device=matrix.device)
        change = torch.linalg.solve(full.T, bias.double())
    with torch.no_grad():
        target.copy_((target.double() + change.double()).to(target.dtype))


def _untie(plain: PreTrainedModel) -> None:
    """Give the head a weight of its own where it shares the input embeddings."""
    head = find_architecture(plain).head
    head.weight = nn.Parameter(head.weight.detach().clone(), requires_grad=False)
    for config in (plain.config, plain.config.get_text_config(decoder=True)):
        config.tie_word_embeddings = False
    plain.all_tied_weights_keys = plain.get_expanded_tied_weights_keys(all_submodels=True)


def _check_logits(plain: PreTrainedModel, backbone: Backbone, memory: Memory, hooks: Hooks) -> None:
    """Check that the copy gives the logits that the memory gives."""
    tokens = backbone.probe_tokens()
    head_input = hooks.hidden_states({"input_ids": tokens})[HEAD]
    with torch.no_grad():
        folded = plain(input_ids=tokens, use_cache=False).logits
        expected = backbone.head.logits(memory.read(HEAD, head_input)[0])
    if not logits_agree(expected, folded[0]):
        raise FoldingError(
            "the folded model's logits differ from the memory's: this architecture does something "
            "between its final norm and its head that a plain copy cannot hold"
        )
