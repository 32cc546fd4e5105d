"""What must hold before a batch is learned or read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from faast.lm.attachment import Recording
    from faast.lm.backbone import Backbone
    from faast.lm.pairs import Pairs

INTEGERS = (torch.int32, torch.int64)
"""What an embedding takes."""


def require_tokens(backbone: Backbone, input_ids: Tensor) -> None:
    """Check token ids before the model runs.

    Raises
    ------
    TypeError
        No tensor of integers.
    ValueError
        Another device, tokens outside the vocabulary, or more tokens than positions.
    """
    dtype = getattr(input_ids, "dtype", None)
    if dtype not in INTEGERS:
        given = dtype or type(input_ids).__name__
        raise TypeError(
            f"input_ids must be a tensor of integers (batch, length), got {given}; a tokenizer "
            'returns one with return_tensors="pt"'
        )
    device = backbone.anatomy.embeddings.weight.device
    if input_ids.device != device:
        raise ValueError(
            f"input_ids are on {input_ids.device}, the model is on {device}; move them with "
            f'input_ids.to("{device}")'
        )
    limit = backbone.anatomy.n_positions
    if limit is not None and input_ids.shape[-1] > limit:
        raise ValueError(
            f"the sequences have {input_ids.shape[-1]} tokens, the model has {limit} positions; "
            "cut them into windows first"
        )
    vocabulary = backbone.anatomy.embeddings.weight.shape[0]
    if input_ids.numel() and not 0 <= int(input_ids.min()) <= int(input_ids.max()) < vocabulary:
        raise ValueError(
            f"input_ids must be in 0..{vocabulary - 1}, got {int(input_ids.min())}.."
            f"{int(input_ids.max())}; were they made by this model's tokenizer?"
        )


def require_finite(states: Recording, pairs: Pairs) -> None:
    """Check what a batch would teach.

    Raises
    ------
    ValueError
        NaN or inf, named by its place, row and token.
    """
    for place, hidden in states.items():
        wrong = ~torch.isfinite(hidden).all(dim=-1)
        wrong[:, :-1] &= pairs.taught.to(wrong.device)
        wrong[:, -1] = False
        if bool(wrong.any()):
            row, token = wrong.nonzero()[0].tolist()
            where = f"in front of block {place}" if isinstance(place, int) else f"at its {place}"
            raise ValueError(
                f"the model's hidden state {where} holds NaN or inf for token {token} of row {row} "
                "of the batch; nothing was learned. Check the model's weights, or run it in "
                "bfloat16 or float32 where float16 overflows"
            )
