"""One forward pass of the frozen model over a batch, and what it would teach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faast.lm.backbone import model_inputs
from faast.lm.checks import require_finite, require_tokens
from faast.lm.outputs import Lesson
from faast.lm.packing import packed_inputs, require_separation
from faast.lm.pairs import next_token_pairs

if TYPE_CHECKING:
    from torch import Tensor

    from faast.lm.attachment import Attachment
    from faast.lm.backbone import Backbone


def gathered(
    backbone: Backbone,
    attachment: Attachment,
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    answer_mask: Tensor | None = None,
    document_ids: Tensor | None = None,
) -> Lesson:
    """Check a batch, run the model over it and return what it teaches.

    Parameters and errors are those of ``FaastForCausalLM.learn``.
    """
    require_tokens(backbone, input_ids)
    pairs = next_token_pairs(input_ids, attention_mask, answer_mask, document_ids)
    if document_ids is None:
        inputs = model_inputs(backbone.model, input_ids, attention_mask)
    else:
        require_separation(backbone, attachment)
        inputs = packed_inputs(input_ids, attention_mask, document_ids)
    states = attachment.hidden_states(backbone.model, inputs)
    require_finite(states, pairs)
    return Lesson(input_ids, pairs, states)
