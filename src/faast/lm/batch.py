"""What must hold before a batch is learned or read.

Several documents in one row that neither see nor teach each other.

Next-token pairs: which positions teach, and the tokens that they teach.

One forward pass of the frozen model over a batch, and what it would teach.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from faast.lm.architecture import model_inputs
from faast.lm.exceptions import UnsupportedModelError

if TYPE_CHECKING:
    from torch import Tensor

    from faast.lm.architecture import Backbone
    from faast.lm.hooks import Attachment, Recording

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from faast.lm.adapters import Names, rows_by_name
from faast.lm.hooks import Recording

if TYPE_CHECKING:
    from faast.lm.architecture import Backbone


@dataclass(frozen=True)
class Lesson:
    """What one call of learn gathered.

    Attributes
    ----------
    input_ids : Tensor of shape (batch, length)
    pairs : Pairs
    states : dict of Place to Tensor
        Hidden states of shape (batch, length, d).
    """

    input_ids: Tensor
    pairs: Pairs
    states: Recording

    def by_name(self, names: Names) -> dict[str, Lesson]:
        """Cut the lesson by the memories that its rows belong to."""
        if len(set(names)) == 1:
            return {names[0]: self}
        lessons = {}
        for name, rows in rows_by_name(names, len(self.input_ids)).items():
            ids, taught = self.input_ids[rows], self.pairs.taught[rows]
            if bool(taught.any()):
                states = {place: hidden[rows] for place, hidden in self.states.items()}
                lessons[name] = Lesson(ids, Pairs(taught, ids[:, 1:][taught]), states)
        return lessons


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


class Pairs(NamedTuple):
    """Positions t of a batch whose next token is learned.

    Attributes
    ----------
    taught : Tensor of shape (batch, length - 1), bool
        Whether position t teaches token t + 1.
    targets : Tensor of shape (n,)
        The next tokens of the taught positions, in row-major order.
    """

    taught: Tensor
    targets: Tensor

    def keys(self, hidden: Tensor) -> Tensor:
        """Hidden states of the taught positions: (batch, length, d) to (n, d)."""
        return hidden[:, :-1][self.taught.to(hidden.device)]

    def values(self, hidden: Tensor) -> Tensor:
        """Hidden states one position later: (batch, length, d) to (n, d)."""
        return hidden[:, 1:][self.taught.to(hidden.device)]


def next_token_pairs(
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    answer_mask: Tensor | None = None,
    document_ids: Tensor | None = None,
) -> Pairs:
    """Pair each real token with the next real one of its document.

    Parameters
    ----------
    input_ids : Tensor of shape (batch, length), integer
    attention_mask : Tensor of shape (batch, length), optional
        Non-zero where a token is real.
    answer_mask : Tensor of shape (batch, length), optional
        Non-zero where a token is an answer: only answers are learned, whatever precedes them.
    document_ids : Tensor of shape (batch, length), optional
        Which document of its row each token belongs to.

    Raises
    ------
    TypeError
        A mask that is no tensor.
    ValueError
        Shapes that differ, or nothing left to learn.
    """
    if input_ids.ndim != 2 or input_ids.shape[1] < 2:
        raise ValueError(
            "input_ids must have shape (batch, length) with at least two tokens a row, got "
            f"{tuple(input_ids.shape)}"
        )
    real = _like("attention_mask", attention_mask, input_ids).bool()
    answer = _like("answer_mask", answer_mask, input_ids).bool()
    document = _like("document_ids", document_ids, input_ids)
    alike = document[:, :-1] == document[:, 1:]
    taught = real[:, :-1] & real[:, 1:] & answer[:, 1:] & alike
    if not bool(taught.any()):
        raise ValueError(
            "there is no token to learn: no position has a real next token, of its document, that "
            "the answer_mask selects; set answer_mask to 1 on the tokens of the answers themselves"
        )
    return Pairs(taught, input_ids[:, 1:][taught])


def _like(name: str, given: Tensor | None, input_ids: Tensor) -> Tensor:
    """Return what was given for every token; ones where nothing was."""
    if given is None:
        return torch.ones_like(input_ids)
    if not isinstance(given, Tensor):
        raise TypeError(f"{name} must be a tensor like input_ids, got {type(given).__name__}")
    if given.shape != input_ids.shape:
        raise ValueError(
            f"{name} must have the shape of input_ids, {tuple(input_ids.shape)}, got "
            f"{tuple(given.shape)}"
        )
    return given.to(input_ids.device)


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
