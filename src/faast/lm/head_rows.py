"""Rows that enter the head, each with the token to predict from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from faast.core.state import Array
from faast.lm.hooks import HEAD
from faast.lm.state import LearnedState, checked

if TYPE_CHECKING:
    from faast.lm.batch import TrainingBatch

LONGEST_TEXT = 100
"""Rows of one text are correlated: up to so many of them count as one independent text."""


@dataclass(frozen=True)
class HeadRows(LearnedState):
    """Rows that enter the head, each with the token to predict from it.

    Attributes
    ----------
    hidden : Tensor of shape (n, d), float32
        Hidden states as the frozen model passes them to the head.
    targets : Tensor of shape (n,), int64
        The tokens to predict.
    text_shares : Tensor of shape (n,), float32
        One over the number of rows of a row's text, at least 1 / `LONGEST_TEXT`.
    """

    hidden: Tensor = field(metadata=checked(Array("n", "d", dtypes=("float32",))))
    targets: Tensor = field(metadata=checked(Array("n", dtypes=("int64",), minimum=0)))
    text_shares: Tensor = field(metadata=checked(Array("n", dtypes=("float32",))))

    @classmethod
    def empty(cls, width: int, device: torch.device | str = "cpu") -> HeadRows:
        """Return no rows of this width."""
        return cls(
            torch.empty(0, width, device=device),
            torch.empty(0, dtype=torch.long, device=device),
            torch.empty(0, device=device),
        )

    @classmethod
    def from_batch(cls, batch: TrainingBatch) -> HeadRows:
        """Return the rows from which a batch learns."""
        hidden = batch.pairs.keys(batch.states[HEAD]).float()
        shares = 1.0 / batch.pairs.text_lengths.clamp(max=LONGEST_TEXT)
        return cls(hidden, batch.pairs.targets.to(hidden.device), shares.to(hidden.device))

    def validate(self, empty: HeadRows) -> None:
        """Raise ValueError where a share is not one of a text."""
        del empty
        shares = self.text_shares
        if len(shares) and not 1.0 / LONGEST_TEXT - 1e-6 <= shares.min() <= shares.max() <= 1.0:
            raise ValueError(f"text_shares must be from 1/{LONGEST_TEXT} to 1")

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, at: slice | Tensor) -> HeadRows:
        """Return some of the rows."""
        return HeadRows(self.hidden[at], self.targets[at], self.text_shares[at])

    def followed_by(self, later: HeadRows) -> HeadRows:
        """Return these rows and then others, on the device of the others."""
        pairs = (
            (self.hidden, later.hidden),
            (self.targets, later.targets),
            (self.text_shares, later.text_shares),
        )
        return HeadRows(*(torch.cat([mine.to(other.device), other]) for mine, other in pairs))

    def clone(self) -> HeadRows:
        """Return a copy that shares no memory with what it was cut from."""
        return HeadRows(self.hidden.clone(), self.targets.clone(), self.text_shares.clone())
