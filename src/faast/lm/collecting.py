"""A batch run once through the frozen model: tokens are checked, hidden states collected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from faast.lm.architecture import model_inputs
from faast.lm.backbone import check_targets
from faast.lm.batch import Pairs, TokenBatch, TrainingBatch
from faast.lm.exceptions import UnsupportedModelError

if TYPE_CHECKING:
    from faast.lm.backbone import Backbone
    from faast.lm.hooks import HiddenStates, Hooks

TOKEN_DTYPES = (torch.int32, torch.int64)
"""What an embedding takes."""
SEPARATION_TOLERANCE = 0.02
"""As a share of the largest hidden state: bfloat16 rounds differently in longer rows."""


def collect_hidden_states(backbone: Backbone, hooks: Hooks, batch: TokenBatch) -> TrainingBatch:
    """Check a batch and run the frozen model over it once.

    Raises
    ------
    TypeError, ValueError
        The model cannot take or predict these tokens, no token is left to learn, hidden states are
        not finite, or the model is in training mode.
    UnsupportedModelError
        Rows hold several documents, which the model cannot keep apart.
    """
    if backbone.model.training:
        raise ValueError(
            "the model is in training mode, in which dropout would change what is learned; call "
            "model.eval() first"
        )
    check_tokens(backbone, batch.input_ids)
    pairs = next_token_pairs(batch)
    check_targets(pairs.targets, backbone)
    if batch.document_ids is None:
        inputs = model_inputs(backbone.model, batch.input_ids, batch.attention_mask)
    else:
        check_separation(backbone, hooks)
        inputs = packed_inputs(batch.input_ids, batch.attention_mask, batch.document_ids)
    states = hooks.hidden_states(inputs)
    check_finite(states, pairs)
    return TrainingBatch(batch.input_ids, pairs, states)


def check_tokens(backbone: Backbone, input_ids: Tensor) -> None:
    """Check token ids before the model runs.

    Raises
    ------
    TypeError
        They are not a tensor of integers.
    ValueError
        They are on another device than the model, outside its vocabulary, or longer than its
        positions.
    """
    dtype = getattr(input_ids, "dtype", None)
    if dtype not in TOKEN_DTYPES:
        given = dtype or type(input_ids).__name__
        raise TypeError(
            f"input_ids must be a tensor of integers (batch, length), got {given}; a tokenizer "
            'returns one with return_tensors="pt"'
        )
    device = backbone.input_device
    if input_ids.device != device:
        raise ValueError(
            f"input_ids are on {input_ids.device}, the model is on {device}; move them with "
            f'input_ids.to("{device}")'
        )
    limit = backbone.architecture.n_positions
    if limit is not None and input_ids.shape[-1] > limit:
        raise ValueError(
            f"the sequences have {input_ids.shape[-1]} tokens, the model has {limit} positions; "
            "cut them into windows first"
        )
    vocabulary = len(backbone.architecture.embeddings.weight)
    if input_ids.numel() and not 0 <= int(input_ids.min()) <= int(input_ids.max()) < vocabulary:
        raise ValueError(
            f"input_ids must be in 0..{vocabulary - 1}, got {int(input_ids.min())}.."
            f"{int(input_ids.max())}; were they made by this model's tokenizer?"
        )


def next_token_pairs(batch: TokenBatch) -> Pairs:
    """Pair each real token with the next real token of its document.

    Raises
    ------
    TypeError
        A mask is not a tensor.
    ValueError
        Shapes differ, or no token is left to learn.
    """
    input_ids = batch.input_ids
    if input_ids.ndim != 2 or input_ids.shape[1] < 2:
        raise ValueError(
            "input_ids must have shape (batch, length) with at least two tokens per row, got "
            f"{tuple(input_ids.shape)}"
        )
    real = _per_token(batch, "attention_mask").bool()
    answer = _per_token(batch, "answer_mask").bool()
    document = _per_token(batch, "document_ids")
    same = document[:, :-1] == document[:, 1:]
    mask = real[:, :-1] & real[:, 1:] & answer[:, 1:] & same
    places = (_places_in_documents(document, real) + 1) * real
    if not bool(mask.any()):
        raise ValueError(
            "there is no token to learn: no position has a real next token of its document that "
            "answer_mask selects; set answer_mask to 1 on the tokens of the answers themselves"
        )
    return Pairs(mask, input_ids[:, 1:][mask], places)


def check_finite(states: HiddenStates, pairs: Pairs) -> None:
    """Check the hidden states that would be learned.

    Raises
    ------
    ValueError
        One of them is NaN or inf; the message names its hook point, row and token.
    """
    for point, hidden in states.items():
        mask = pairs.target_mask.to(hidden.device)
        learned = functional.pad(mask, (0, 1))
        if isinstance(point, int):  # layer memories learn the next hidden states as values
            learned = learned | functional.pad(mask, (1, 0))
        wrong = learned & ~torch.isfinite(hidden).all(dim=-1)
        if bool(wrong.any()):
            row, token = wrong.nonzero()[0].tolist()
            where = f"in front of block {point}" if isinstance(point, int) else f"at its {point}"
            raise ValueError(
                f"the model's hidden state {where} holds NaN or inf for token {token} of row {row} "
                "of the batch; nothing was learned. Check the model's weights, or run it in "
                "bfloat16 or float32 where float16 overflows"
            )


def packed_inputs(
    input_ids: Tensor, attention_mask: Tensor | None, document_ids: Tensor
) -> dict[str, Tensor]:
    """Return arguments of a forward pass in which the documents of a row do not see each other.

    Parameters
    ----------
    input_ids, document_ids : Tensor of shape (batch, length)
    attention_mask : Tensor of shape (batch, length), optional

    Notes
    -----
    Positions restart with every document. The causal masks of transformers separate tokens where
    positions restart, provided that no other mask is given; padding counts as one more document.
    """
    documents = document_ids.to(input_ids.device)
    real = torch.ones_like(documents) if attention_mask is None else attention_mask
    real = real.to(documents.device) != 0
    return {"input_ids": input_ids, "position_ids": _places_in_documents(documents, real)}


def check_separation(backbone: Backbone, hooks: Hooks) -> None:
    """Check, on one short row, that the model keeps the documents of a row apart.

    Raises
    ------
    UnsupportedModelError
        It carries a state along the row, or builds its mask in another way.
    """
    tokens = backbone.probe_tokens()
    half = tokens.shape[1] // 2
    documents = (torch.arange(tokens.shape[1], device=tokens.device) >= half)[None].long()
    alone = {"input_ids": tokens[:, half:]}
    try:
        packed = hooks.hidden_states(packed_inputs(tokens, None, documents))
    except TypeError as error:  # the model takes no position_ids
        raise _inseparable(backbone) from error
    for point, expected in hooks.hidden_states(alone).items():
        gap = (packed[point][:, half:] - expected).abs().max()
        if float(gap) > SEPARATION_TOLERANCE * float(expected.abs().max()):
            raise _inseparable(backbone)


def _places_in_documents(documents: Tensor, real: Tensor) -> Tensor:
    """Count the tokens of its document in front of each token; padding is one more document."""
    documents = documents.masked_fill(~real, 0)
    position = torch.arange(documents.shape[1], device=documents.device).expand_as(documents)
    begins = torch.ones_like(documents, dtype=torch.bool)
    begins[:, 1:] = (documents[:, 1:] != documents[:, :-1]) | (real[:, 1:] != real[:, :-1])
    return position - position.masked_fill(~begins, 0).cummax(dim=1).values


def _inseparable(backbone: Backbone) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{type(backbone.model).__name__} cannot keep several documents in one row apart: each "
        "would see those before it; give every document a row of its own, with padding"
    )


def _per_token(batch: TokenBatch, name: str) -> Tensor:
    """Return a field that has an entry per token; ones where it was not given."""
    given = getattr(batch, name)
    if given is None:
        return torch.ones_like(batch.input_ids)
    if not isinstance(given, Tensor):
        raise TypeError(f"{name} must be a tensor like input_ids, got {type(given).__name__}")
    if given.shape != batch.input_ids.shape:
        raise ValueError(
            f"{name} must have the shape of input_ids, {tuple(batch.input_ids.shape)}, got "
            f"{tuple(given.shape)}"
        )
    return given.to(batch.input_ids.device)
