"""Documents: texts as tokens, with the tokens that are to be learned, and batches of them."""

from __future__ import annotations

from itertools import islice, pairwise, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
