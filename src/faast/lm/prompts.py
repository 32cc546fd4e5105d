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
    return list(found[:-1] if _appends_end(tokenizer) else found)


def _appends_end(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Return whether a tokenizer puts an end token behind every text."""
    found: Any = tokenizer("a")["input_ids"]
    own: Any = tokenizer("a", add_special_tokens=False)["input_ids"]
    return bool(found[-len(own) - 1 :] == [*own, tokenizer.eos_token_id])


def answer_tokens(
    tokenizer: PreTrainedTokenizerBase, prompt: str, answer: str
) -> tuple[list[int], int]:
    """Tokenise a prompt with its answer, so that the prompt alone has the same first tokens.

    Some tokenizers join the space between the two to the last token of the prompt. Then the answer
    is tokenised by itself, since a prompt to go on with ends without that space.

    Returns
    -------
    tokens : list of int
        Without an end token.
    start : int
        Where the answer begins.
    """
    alone, joined = prompt_tokens(tokenizer, prompt), prompt_tokens(tokenizer, prompt + answer)
    start = shared_prefix([joined, alone])
    if start == len(alone):
        return joined, start
    own: Any = tokenizer(answer, add_special_tokens=False, verbose=False)["input_ids"]
    apart = [*alone, *own]
    is_same = _text_of(tokenizer, apart) == _text_of(tokenizer, joined)
    return (apart, len(alone)) if is_same else (joined, start)


def _text_of(tokenizer: PreTrainedTokenizerBase, tokens: list[int]) -> str:
    options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    return str(tokenizer.decode(tokens, **options))


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
