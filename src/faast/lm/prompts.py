"""The tokens of prompts: texts that a model goes on with."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase


def prompt_tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Tokenise a text that something may follow: with a begin token, without an end token."""
    found: Any = tokenizer(text, verbose=False)["input_ids"]
    ends = len(found) > 0 and found[-1] == tokenizer.eos_token_id
    return list(found[:-1] if ends else found)


def shared_prefix(sequences: Sequence[Sequence[int]]) -> int:
    """Return the number of first tokens that all sequences share."""
    same = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*sequences, strict=False))
    return sum(1 for _ in same)


def begin_empty(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Sequence[int]]
) -> list[Sequence[int]]:
    """Return tokenised prompts, the empty ones with a token that a text begins with.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        Its begin token is taken, or else its end token.
    prompts : sequence of sequence of int
        Token ids.

    Raises
    ------
    ValueError
        If a prompt is empty, and the tokenizer has neither token.
    """
    begin: int | None = tokenizer.bos_token_id
    begin = tokenizer.eos_token_id if begin is None else begin
    empty = next((number for number, prompt in enumerate(prompts, 1) if not prompt), None)
    if empty is None:
        return list(prompts)
    if begin is None:
        raise ValueError(
            f"prompt {empty} is empty, and the model has no token to begin a text with; write "
            "something in it"
        )
    return [prompt or [begin] for prompt in prompts]
