"""Documents: texts as tokens, with the tokens that are to be learned, and batches of them.

Chats as documents of which only the assistant's turns are learned.

Texts one after another, cut into windows: what language models are trained on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice, pairwise, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch
from jinja2 import TemplateError
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

T = TypeVar("T")


class Document(NamedTuple):
    """One text.

    Attributes
    ----------
    tokens : Tensor of shape (n,), integer
    answers : Tensor of shape (n,), bool
        The tokens to learn to say.
    """

    tokens: Tensor
    answers: Tensor


class DocumentBatch(NamedTuple):
    """Arguments of ``FaastForCausalLM.learn``, all of shape (batch, length).

    Attributes
    ----------
    input_ids : Tensor, integer
    attention_mask : Tensor, bool
        False on padding, which is on the right.
    answer_mask : Tensor, bool
    document_ids : Tensor, integer, or None
        None where every row holds one document.
    """

    input_ids: Tensor
    attention_mask: Tensor
    answer_mask: Tensor
    document_ids: Tensor | None

    def to(self, device: torch.device) -> DocumentBatch:
        """Move to a device."""
        return DocumentBatch(*(None if part is None else part.to(device) for part in self))  # type: ignore[arg-type]


def text_document(tokenizer: PreTrainedTokenizerBase, text: str) -> Document:
    """Read a text of which everything is learned, its end included.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    text : str
    """
    tokens = _ended(tokenizer, prompt_tokens(tokenizer, text))
    return Document(tokens, torch.ones_like(tokens, dtype=torch.bool))


def answer_document(tokenizer: PreTrainedTokenizerBase, prompt: str, answer: str) -> Document:
    """Read a prompt and the answer to learn after it, its end included.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    prompt, answer : str
        They are joined as they are: the space between them belongs to one of the two.

    Notes
    -----
    Both are tokenised as one text; the answer's tokens are those that the prompt alone does not
    begin with.
    """
    tokens = _ended(tokenizer, prompt_tokens(tokenizer, prompt + answer))
    start = shared_prefix([tokens.tolist(), prompt_tokens(tokenizer, prompt)])
    return Document(tokens, torch.arange(len(tokens)) >= start)


def prompt_tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Tokenise a text that something may follow: begun as the tokenizer does, not ended."""
    found: Any = tokenizer(text, verbose=False)["input_ids"]
    ends = len(found) > 0 and found[-1] == tokenizer.eos_token_id
    return list(found[:-1] if ends else found)


def shared_prefix(sequences: Sequence[Sequence[int]]) -> int:
    """Return how many tokens all sequences begin with alike."""
    alike = takewhile(lambda tokens: len(set(tokens)) == 1, zip(*sequences, strict=False))
    return sum(1 for _ in alike)


def windows(document: Document, length: int) -> list[Document]:
    """Cut a document into windows of at most `length` tokens that do not overlap.

    Cuts are counted from the end, so that an answer there keeps all the context that fits.
    Windows with nothing to learn are left out.
    """
    n_tokens = len(document.tokens)
    cuts = [*range(n_tokens, 0, -length), 0][::-1]
    parts = (
        Document(document.tokens[start:end], document.answers[start:end])
        for start, end in pairwise(cuts)
    )
    return [part for part in parts if bool(part.answers[1:].any())]


def padded(documents: Iterable[Document], batch_size: int) -> Iterator[DocumentBatch]:
    """Make batches of one document a row.

    Parameters
    ----------
    documents : iterable of Document
    batch_size : int
        Rows of a batch.
    """
    for rows in groups(documents, batch_size):
        yield _batch([[document] for document in rows])._replace(document_ids=None)


def packed(documents: Iterable[Document], length: int, batch_size: int) -> Iterator[DocumentBatch]:
    """Make batches of rows that hold as many whole documents, in order, as fit.

    Parameters
    ----------
    documents : iterable of Document
    length : int
        Tokens of a row; longer documents are cut into windows first.
    batch_size : int
        Rows of a batch.
    """
    for rows in groups(_packed_rows(documents, length), batch_size):
        yield _batch(rows)


def groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items, the last one perhaps shorter."""
    left = iter(items)
    while group := list(islice(left, size)):
        yield group


def _packed_rows(documents: Iterable[Document], length: int) -> Iterator[list[Document]]:
    row: list[Document] = []
    room = length
    for document in documents:
        for part in windows(document, length):
            if len(part.tokens) > room:
                yield row
                row, room = [], length
            row.append(part)
            room -= len(part.tokens)
    if row:
        yield row


def _batch(rows: Sequence[Sequence[Document]]) -> DocumentBatch:
    lengths = [sum(len(document.tokens) for document in row) for row in rows]
    shape = len(rows), max(lengths)
    input_ids = torch.zeros(shape, dtype=torch.long)
    answers = torch.zeros(shape, dtype=torch.bool)
    owners = torch.zeros(shape, dtype=torch.long)
    for index, (row, end) in enumerate(zip(rows, lengths, strict=True)):
        input_ids[index, :end] = torch.cat([document.tokens for document in row])
        answers[index, :end] = torch.cat([document.answers for document in row])
        sizes = torch.tensor([len(document.tokens) for document in row])
        owners[index, :end] = torch.arange(1, len(row) + 1).repeat_interleave(sizes)
    return DocumentBatch(input_ids, owners > 0, answers, owners)


def _ended(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> Tensor:
    end = tokenizer.eos_token_id
    return torch.tensor(ids if end is None else [*ids, end], dtype=torch.long)


ASSISTANT = "assistant"
MARKER = re.compile(r"\{%-?\s*generation\b")
"""What marks the assistant's turns in templates that mark them."""


def chat_document(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]]
) -> Document:
    """Read a chat through the tokenizer's template; the assistant's turns are the answers.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
    messages : sequence of mappings
        With "role" and "content" each.

    Raises
    ------
    ValueError
        No template, no assistant's turn, or a template whose turns cannot be told apart.

    Notes
    -----
    Templates that mark what the assistant generates are believed. Elsewhere a turn is what the chat
    up to it adds to the chat before it, the header of the turn aside.
    """
    if not tokenizer.chat_template:
        raise ValueError(
            "the tokenizer has no chat template; use one of a chat model, or give prompts and "
            "answers instead of messages"
        )
    if not _are_messages(messages):
        raise ValueError(
            'a chat must be a list of messages such as {"role": "user", "content": "..."}'
        )
    if not any(message.get("role") == ASSISTANT for message in messages):
        raise ValueError(
            f'the chat holds no message of the role "{ASSISTANT}", so there is nothing to learn'
        )
    read = _marked if MARKER.search(str(tokenizer.chat_template)) else _by_turns
    try:
        document = read(tokenizer, messages)
    except TemplateError as error:
        raise ValueError(f"the chat template refuses this chat: {error}") from error
    if not bool(document.answers.any()):
        raise ValueError("the chat template renders nothing of the assistant's turns")
    return document


def _are_messages(given: Any) -> bool:
    return isinstance(given, Sequence) and all(isinstance(one, Mapping) for one in given)


def _marked(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]]) -> Document:
    rendered: Any = tokenizer.apply_chat_template(
        [dict(message) for message in messages], return_dict=True, return_assistant_tokens_mask=True
    )
    return Document(
        torch.tensor(rendered["input_ids"]), torch.tensor(rendered["assistant_masks"]).bool()
    )


def _by_turns(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]]
) -> Document:
    whole = _rendered(tokenizer, messages)
    answers = torch.zeros(len(whole), dtype=torch.bool)
    for index, message in enumerate(messages):
        if message.get("role") != ASSISTANT:
            continue
        before = _rendered(tokenizer, messages[:index], add_generation_prompt=True) if index else []
        after = _rendered(tokenizer, messages[: index + 1])
        start, end = shared_prefix([whole, before]), shared_prefix([whole, after])
        if start < len(before) or end < len(after):
            raise ValueError(
                f"the chat template writes message {index} differently once others follow, so its "
                "tokens cannot be told; end the chat there, or mark the assistant's turns in the "
                "template with {% generation %} and {% endgeneration %}"
            )
        answers[start:end] = True
    return Document(torch.tensor(whole), answers)


def _rendered(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]], **options: Any
) -> list[int]:
    rendered: Any = tokenizer.apply_chat_template(
        [dict(message) for message in messages], return_dict=True, **options
    )
    return list(rendered["input_ids"])


def text_windows(
    tokenizer: PreTrainedTokenizerBase, documents: Sequence[str], window: int
) -> Tensor:
    """Tokenise documents and cut them, one after another, into windows.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizerBase
        Its end-of-text token, where it has one, stands behind each document.
    documents : sequence of str
    window : int
        Tokens a window.

    Returns
    -------
    Tensor of shape (n, window), int64
        What does not fill a window is left out.

    Raises
    ------
    ValueError
        A window of less than two tokens, or less text than one window.
    """
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    encoded = tokenizer(list(documents), add_special_tokens=False, verbose=False).input_ids
    tokens = torch.tensor([token for ids in encoded for token in (*ids, *end)], dtype=torch.long)
    return cut_windows(tokens, window)


def cut_windows(tokens: Tensor, length: int) -> Tensor:
    """Cut tokens into windows that do not overlap; tokens at the end that fill none are left out.

    Parameters
    ----------
    tokens : Tensor of shape (n,), integer
    length : int
        Tokens per window.

    Returns
    -------
    Tensor of shape (n // length, length)
        A view of the tokens.

    Raises
    ------
    ValueError
        If a window has fewer than two tokens, or if there are fewer tokens than in one window.
    """
    if length < 2:
        raise ValueError(f"a window needs at least two tokens, got {length}")
    n_windows = len(tokens) // length
    if not n_windows:
        raise ValueError(
            f"the texts have {len(tokens)} tokens, less than one window of {length}; give more "
            "text or a shorter window"
        )
    return tokens[: n_windows * length].view(n_windows, length)
