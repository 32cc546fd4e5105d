"""Documents: tokens and which of them to learn, from texts, answers and chats; and batches."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from jinja2 import TemplateError
from torch import Tensor

from faast.lm.batch import Document, TokenBatch
from faast.lm.prompts import answer_tokens, prompt_tokens, shared_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")
WINDOW = 1_024
"""Largest number of tokens that are read at once, unless another one is asked for."""
ASSISTANT = "assistant"
GENERATION_TAG = re.compile(r"\{%-?\s*generation\b")
"""Tag around the assistant's turns in chat templates that mark them."""


# -- texts, and prompts with answers ---------------------------------------------------------------


def text_document(tokenizer: PreTrainedTokenizerBase, text: str) -> Document:
    """Read a text of which every token is learned, its end token included.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    text : str
    """
    tokens = _append_end(tokenizer, prompt_tokens(tokenizer, text))
    return Document(tokens, torch.ones_like(tokens, dtype=torch.bool))


def answer_document(tokenizer: PreTrainedTokenizerBase, prompt: str, answer: str) -> Document:
    """Read a prompt and its answer, of which the answer is learned, its end token included.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    prompt, answer : str
        They are joined as they are: a space between them is part of one of the two.

    Notes
    -----
    See `answer_tokens` for where the answer begins.
    """
    both, start = answer_tokens(tokenizer, prompt, answer)
    tokens = _append_end(tokenizer, both)
    return Document(tokens, torch.arange(len(tokens)) >= start)


def _append_end(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> Tensor:
    end = tokenizer.eos_token_id
    return torch.tensor(ids if end is None else [*ids, end], dtype=torch.long)


# -- chats -----------------------------------------------------------------------------------------


def chat_document(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]]
) -> Document:
    """Read a chat through the tokenizer's template; the assistant's turns are learned.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    messages : sequence of mappings
        Each with "role" and "content".

    Raises
    ------
    ValueError
        There is no template or no turn of the assistant, or the template hides where turns begin
        and end.

    Notes
    -----
    Where a template marks what the assistant generates, the marks are used. Otherwise a turn is
    what the chat up to it adds to the chat before it, without the header of the turn.
    """
    if not tokenizer.chat_template:
        raise ValueError(
            "the tokenizer has no chat template; use the tokenizer of a chat model, or give "
            "prompts and answers instead of messages"
        )
    if not _are_messages(messages):
        raise ValueError(
            'a chat must be a list of messages such as {"role": "user", "content": "..."}, got '
            f"{messages!r}"
        )
    if not any(message.get("role") == ASSISTANT for message in messages):
        raise ValueError(
            f'the chat holds no message of the role "{ASSISTANT}", so there is nothing to learn'
        )
    marked = GENERATION_TAG.search(str(tokenizer.chat_template))
    read = _read_marked_turns if marked else _read_turns
    try:
        document = read(tokenizer, messages)
    except TemplateError as error:
        raise ValueError(f"the chat template refuses this chat: {error}") from error
    if not bool(document.answers.any()):
        raise ValueError("the chat template renders nothing of the assistant's turns")
    return document


def _are_messages(given: Any) -> bool:
    return isinstance(given, Sequence) and all(isinstance(one, Mapping) for one in given)


def _read_marked_turns(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]]
) -> Document:
    rendered: Any = tokenizer.apply_chat_template(
        [dict(message) for message in messages], return_dict=True, return_assistant_tokens_mask=True
    )
    return Document(
        torch.tensor(rendered["input_ids"]), torch.tensor(rendered["assistant_masks"]).bool()
    )


def _read_turns(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]]
) -> Document:
    whole = _render(tokenizer, messages)
    answers = torch.zeros(len(whole), dtype=torch.bool)
    for index, message in enumerate(messages):
        if message.get("role") != ASSISTANT:
            continue
        before = _render(tokenizer, messages[:index], add_generation_prompt=True) if index else []
        after = _render(tokenizer, messages[: index + 1])
        start, end = shared_prefix([whole, before]), shared_prefix([whole, after])
        if start < len(before) or end < len(after):
            raise ValueError(
                f"the chat template writes message {index} differently once others follow, so its "
                "tokens cannot be told; end the chat there, or mark the assistant's turns in the "
                "template with {% generation %} and {% endgeneration %}"
            )
        answers[start:end] = True
    return Document(torch.tensor(whole), answers)


def _render(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]], **options: Any
) -> list[int]:
    rendered: Any = tokenizer.apply_chat_template(
        [dict(message) for message in messages], return_dict=True, **options
    )
    return list(rendered["input_ids"])


# -- windows ---------------------------------------------------------------------------------------


def split_document(document: Document, length: int) -> list[Document]:
    """Cut a document into windows of at most `length` tokens that do not overlap.

    Cuts are counted from the end, so that an answer there keeps as much context as fits. Windows
    with nothing to learn are left out.

    Raises
    ------
    ValueError
        A window has less than two tokens.
    """
    _check_window(length)
    n_tokens = len(document.tokens)
    cuts = [*range(n_tokens, 0, -length), 0][::-1]
    parts = (
        Document(document.tokens[start:end], document.answers[start:end])
        for start, end in pairwise(cuts)
    )
    return [part for part in parts if bool(part.answers[1:].any())]


def cut_windows(tokens: Tensor, window: int) -> Tensor:
    """Cut tokens (n,) into windows that do not overlap: shape (n // window, window).

    Tokens at the end that do not fill a window are left out.

    Raises
    ------
    ValueError
        A window has less than two tokens, or there are fewer tokens than one window.
    """
    _check_window(window)
    n_windows = len(tokens) // window
    if not n_windows:
        raise ValueError(
            f"the text has {len(tokens)} tokens, less than one window of {window}; give more text "
            "or a shorter window"
        )
    return tokens[: n_windows * window].view(n_windows, window)


def _check_window(length: int) -> None:
    if length < 2:
        raise ValueError(f"a window needs at least two tokens, got {length}")


def text_windows(
    tokenizer: PreTrainedTokenizerBase, documents: Sequence[str], window: int
) -> Tensor:
    """Tokenise documents and cut them, one after another, into windows.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        Its end token, where it has one, follows each document.
    documents : sequence of str
    window : int
        Tokens per window.

    Returns
    -------
    Tensor of shape (n, window), int64
        See `cut_windows`, which raises the same errors.
    """
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    encoded = tokenizer(list(documents), add_special_tokens=False, verbose=False).input_ids
    tokens = torch.tensor([token for ids in encoded for token in (*ids, *end)], dtype=torch.long)
    return cut_windows(tokens, window)


# -- batches ---------------------------------------------------------------------------------------


def pad_documents(documents: Iterable[Document], batch_size: int) -> Iterator[TokenBatch]:
    """Make batches of one document per row, padded on the right.

    Parameters
    ----------
    documents : iterable of Document
    batch_size : int
        Rows per batch.

    Raises
    ------
    ValueError
        Batches would have no rows.
    """
    for rows in batched(documents, batch_size):
        yield _make_batch([[document] for document in rows])._replace(document_ids=None)


def pack_documents(
    documents: Iterable[Document], length: int, batch_size: int
) -> Iterator[TokenBatch]:
    """Make batches whose rows hold as many whole documents, in order, as fit.

    Parameters
    ----------
    documents : iterable of Document
    length : int
        Tokens per row; longer documents are split first.
    batch_size : int
        Rows per batch.

    Raises
    ------
    ValueError
        Rows would be of less than two tokens, or batches of no rows.
    """
    for rows in batched(_pack_rows(documents, length), batch_size):
        yield _make_batch(rows)


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items, the last one perhaps shorter (`itertools.batched` of 3.12)."""
    if size < 1:
        raise ValueError(f"a batch needs at least one row, got batch_size={size}")
    left = iter(items)
    while group := list(islice(left, size)):
        yield group


def _pack_rows(documents: Iterable[Document], length: int) -> Iterator[list[Document]]:
    _check_window(length)
    row: list[Document] = []
    room = length
    for document in documents:
        for part in split_document(document, length):
            if len(part.tokens) > room:
                yield row
                row, room = [], length
            row.append(part)
            room -= len(part.tokens)
    if row:
        yield row


def _make_batch(rows: Sequence[Sequence[Document]]) -> TokenBatch:
    """Concatenate the documents of each row; document_ids count from 1, padding has 0."""
    lengths = [sum(len(document.tokens) for document in row) for row in rows]
    shape = len(rows), max(lengths)
    input_ids = torch.zeros(shape, dtype=torch.long)
    answers = torch.zeros(shape, dtype=torch.bool)
    numbers = torch.zeros(shape, dtype=torch.long)
    for index, (row, end) in enumerate(zip(rows, lengths, strict=True)):
        input_ids[index, :end] = torch.cat([document.tokens for document in row])
        answers[index, :end] = torch.cat([document.answers for document in row])
        sizes = torch.tensor([len(document.tokens) for document in row])
        numbers[index, :end] = torch.arange(1, len(row) + 1).repeat_interleave(sizes)
    return TokenBatch(input_ids, numbers > 0, answers, numbers)
