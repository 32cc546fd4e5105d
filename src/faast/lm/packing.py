"""Several documents in one row that neither see nor teach each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from faast.lm.anatomy import UnsupportedModelError

if TYPE_CHECKING:
    from faast.lm.attachment import Attachment
    from faast.lm.backbone import Backbone

TOLERANCE = 0.02
"""Of the largest hidden state: bfloat16 rounds differently in longer rows."""


def packed_inputs(
    input_ids: Tensor, attention_mask: Tensor | None, document_ids: Tensor
) -> dict[str, Tensor]:
    """Arguments of a forward pass over packed rows, all of shape (batch, length).

    Notes
    -----
    Positions restart with every document. Transformers' causal masks keep tokens apart where
    positions restart, provided that no other mask is given; padding is a document of its own.
    """
    documents = document_ids.to(input_ids.device)
    if attention_mask is not None:
        documents = documents.masked_fill(~attention_mask.to(documents.device).bool(), -1)
    place = torch.arange(input_ids.shape[1], device=input_ids.device).expand_as(input_ids)
    begins = torch.ones_like(input_ids, dtype=torch.bool)
    begins[:, 1:] = documents[:, 1:] != documents[:, :-1]
    starts = place.masked_fill(~begins, 0).cummax(dim=1).values
    return {"input_ids": input_ids, "position_ids": place - starts}


def require_separation(backbone: Backbone, attachment: Attachment) -> None:
    """Check, on one short row, that the model keeps packed documents apart.

    Raises
    ------
    UnsupportedModelError
        It does not: it keeps a state along the row, or masks in a way of its own.
    """
    tokens = backbone.probe_tokens()
    half = tokens.shape[1] // 2
    documents = (torch.arange(tokens.shape[1], device=tokens.device) >= half)[None].long()
    alone = {"input_ids": tokens[:, half:]}
    try:
        packed = attachment.hidden_states(backbone.model, packed_inputs(tokens, None, documents))
    except TypeError as error:  # the model takes no positions
        raise _inseparable(backbone) from error
    for place, expected in attachment.hidden_states(backbone.model, alone).items():
        gap = (packed[place][:, half:] - expected).abs().max()
        if float(gap) > TOLERANCE * float(expected.abs().max()):
            raise _inseparable(backbone)


def _inseparable(backbone: Backbone) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"{type(backbone.model).__name__} cannot keep packed documents apart: each would see those "
        "before it in its row; give every document a row of its own, with padding"
    )
