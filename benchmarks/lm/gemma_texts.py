"""The texts that Gemma learns and is asked, in windows of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.lm.adaptation import DOMAINS, Domain
from benchmarks.lm.recall import CAPTIONS

WINDOW = 256
LEARNED_CHARACTERS = 400_000
LAST_PART = 0.75
"""Where there is no file of test texts, what follows this part of a text is asked."""


@dataclass(frozen=True)
class Text:
    """Windows of one text, each a begin token and what follows.

    Attributes
    ----------
    name : str
    learned : Tensor of shape (n, WINDOW), int64
        From the beginning of the text on.
    asked : Tensor of shape (m, WINDOW), int64
        Spread evenly over the test file, or over the last quarter of the text.
    """

    name: str
    learned: Tensor
    asked: Tensor


def texts(tokenizer: Any, n_learned: int, n_asked: int) -> list[Text]:
    """Read all texts, and cut them into windows."""
    return [_cut(domain, tokenizer, n_learned, n_asked) for domain in (*DOMAINS, CAPTIONS)]


def _cut(domain: Domain, tokenizer: Any, n_learned: int, n_asked: int) -> Text:
    whole = domain.train()
    test = whole[int(LAST_PART * len(whole)) :] if domain.test is None else domain.test()
    learned = windows(tokenizer, whole[:LEARNED_CHARACTERS])
    asked = windows(tokenizer, test)
    if len(learned) < n_learned or len(asked) < n_asked:
        raise ValueError(
            f"{domain.name} has {len(learned)} windows to learn and {len(asked)} to ask, fewer than "
            f"{n_learned} and {n_asked}"
        )
    spread = torch.linspace(0, len(asked) - 1, n_asked).long()
    return Text(domain.name, learned[:n_learned], asked[spread])


def windows(tokenizer: Any, text: str) -> Tensor:
    """Return all whole windows of a text: shape (n, WINDOW)."""
    ids = torch.tensor(tokenizer(text, add_special_tokens=False, verbose=False).input_ids)
    rows = ids[: len(ids) // (WINDOW - 1) * (WINDOW - 1)].view(-1, WINDOW - 1)
    begin = torch.full((len(rows), 1), tokenizer.bos_token_id)
    return torch.cat([begin, rows], dim=1)
