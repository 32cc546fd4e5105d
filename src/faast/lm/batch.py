"""A batch to learn: tokens, next-token pairs, and the frozen model's hidden states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from faast.lm.hooks import HiddenStates

Names = tuple[str, ...]
"""Adapters of a batch: one name for all rows, or one name per row."""


class TokenBatch(NamedTuple):
    """Arguments of `faast.lm.FaastForCausalLM.learn`, where they are explained.

    Attributes
    ----------
    input_ids, attention_mask, answer_mask, document_ids : Tensor of shape (batch, length)
        All but the first are optional.
    """

    input_ids: Tensor
    attention_mask: Tensor | None = None
    answer_mask: Tensor | None = None
    document_ids: Tensor | None = None

    @property
    def n_tokens(self) -> int:
        """Real tokens, padding left out."""
        mask = self.attention_mask
        return self.input_ids.numel() if mask is None else int(mask.bool().sum())

    def to(self, device: torch.device) -> TokenBatch:
        """Return the batch on a device."""
        moved = (None if part is None else part.to(device) for part in self)
        return TokenBatch(*moved)  # type: ignore[arg-type]


class Document(NamedTuple):
    """One text.

    Attributes
    ----------
    tokens : Tensor of shape (n,), int64
    answers : Tensor of shape (n,), bool
        Whether each token is to be learned.
    """

    tokens: Tensor
    answers: Tensor


class Pairs(NamedTuple):
    """The positions t of a batch whose next token t + 1 is learned.

    Attributes
    ----------
    target_mask : Tensor of shape (batch, length - 1), bool
        Whether token t + 1 is learned from position t.
    targets : Tensor of shape (n,), integer
        The tokens to learn, in row-major order.
    places : Tensor of shape (batch, length), int64
        The place of each token in its document, counted from 1; 0 on padding.
    """

    target_mask: Tensor
    targets: Tensor
    places: Tensor

    @property
    def text_lengths(self) -> Tensor:
        """How many targets are in the same row and document as each target, shape (n,), int64."""
        n_rows, length = self.places.shape
        texts = (self.places == 1).cumsum(dim=1)  # documents are counted anew in every row
        texts += length * torch.arange(n_rows, device=texts.device)[:, None]
        texts = texts[:, 1:][self.target_mask]
        return texts.bincount()[texts]

    def keys(self, hidden: Tensor) -> Tensor:
        """Select the hidden states at positions t: (batch, length, d) to (n, d)."""
        return hidden[:, :-1][self.target_mask.to(hidden.device)]

    def values(self, hidden: Tensor) -> Tensor:
        """Select the hidden states at positions t + 1: (batch, length, d) to (n, d)."""
        return hidden[:, 1:][self.target_mask.to(hidden.device)]


@dataclass(frozen=True)
class TrainingBatch:
    """What memories learn from one call of ``FaastForCausalLM.learn``.

    Attributes
    ----------
    input_ids : Tensor of shape (batch, length)
    pairs : Pairs
    states : dict of HookPoint to Tensor
        Hidden states of shape (batch, length, d).
    """

    input_ids: Tensor
    pairs: Pairs
    states: HiddenStates

    def split(self, names: Names) -> dict[str, TrainingBatch]:
        """Split the batch by the adapters that its rows use; leave out rows with nothing to learn.

        Raises
        ------
        ValueError
            The number of rows is not a multiple of the number of names.
        """
        if len(set(names)) == 1:
            return {names[0]: self}
        parts = {}
        for name, rows in rows_by_name(names, len(self.input_ids)).items():
            ids, mask = self.input_ids[rows], self.pairs.target_mask[rows]
            if bool(mask.any()):
                states = {point: hidden[rows] for point, hidden in self.states.items()}
                pairs = Pairs(mask, ids[:, 1:][mask], self.pairs.places[rows])
                parts[name] = TrainingBatch(ids, pairs, states)
        return parts

    def documents(self) -> list[Document]:
        """Return the documents in the rows of which something is learned, on the CPU."""
        found = []
        rows = (self.input_ids, self.pairs.places, self.pairs.target_mask)
        for tokens, places, targets in zip(*(part.cpu() for part in rows), strict=True):
            answers = functional.pad(targets, (1, 0))
            last = functional.pad(places, (0, 1))[1:] != places + 1
            stops = (last & (places > 0)).nonzero()[:, 0] + 1
            for stop, length in zip(stops.tolist(), places[stops - 1].tolist(), strict=True):
                at = slice(stop - length, stop)
                if bool(answers[at].any()):
                    found.append(Document(tokens[at].long(), answers[at]))
        return found


def row_owners(names: Names, n_rows: int) -> list[str]:
    """Return the adapter that each row of a batch uses.

    Generation with beams, or with several sequences per prompt, multiplies the rows of a batch: the
    name of a row is then repeated for its copies.

    Raises
    ------
    ValueError
        The number of rows is not a multiple of the number of names.
    """
    if n_rows % len(names):
        raise ValueError(
            f"{len(names)} adapter names are in use for a batch of {n_rows} rows; give one name, "
            "or one per row"
        )
    return [name for name in names for _ in range(n_rows // len(names))]


def rows_by_name(names: Names, n_rows: int) -> dict[str, list[int]]:
    """Return the rows of a batch that use each adapter; errors as for `row_owners`."""
    owners = row_owners(names, n_rows)
    return {
        name: [row for row, owner in enumerate(owners) if owner == name]
        for name in dict.fromkeys(owners)
    }
