"""A sample of whole documents among everything learned, chosen by hashes of their content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from faast.core.state import Array, Range
from faast.lm.batch import Document
from faast.lm.exceptions import NOT_LEARNED, ForgettingError
from faast.lm.state import LARGEST_COUNT, LearnedState, checked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_DOCUMENTS = 512
"""Kept, so that others take the places of those that are forgotten."""
MAX_DRAWN = 64
"""Largest number of documents that is drawn."""
PIECE_TOKENS = 1024
"""Longer documents are sampled in pieces."""
N_HASHES = 2**52
LARGEST_SHARE = 0.2
"""Largest share of all tokens that is drawn."""
MAX_TOKENS = 8192
"""Largest number of tokens that is drawn."""

_PER_DOCUMENT = checked(Array("b", dtypes=("int64",), minimum=1))


class SampledDocument(NamedTuple):
    """A document, and how often it was learned."""

    document: Document
    copies: int


@dataclass(frozen=True)
class DocumentSample(LearnedState):
    """The documents of lowest hash, in the order of their hashes.

    Attributes
    ----------
    hashes, copies, lengths : Tensor of shape (b,), int64
        Hash of each document, how often it was learned, and its number of tokens.
    tokens : Tensor of shape (n,), int64
        Document after document.
    answers : Tensor of shape (n,), bool
        Whether each token was learned.
    threshold : int
        Documents whose hashes reach it are not kept; it falls where more than `MAX_DOCUMENTS` are
        below it.
    """

    hashes: Tensor = field(metadata=checked(Array("b", dtypes=("int64",), minimum=0)))
    copies: Tensor = field(metadata=_PER_DOCUMENT)
    lengths: Tensor = field(metadata=_PER_DOCUMENT)
    tokens: Tensor = field(metadata=checked(Array("n", dtypes=("int64",), minimum=0)))
    answers: Tensor = field(metadata=checked(Array("n", dtypes=("bool",))))
    threshold: int = field(default=N_HASHES, metadata=checked(Range(0, N_HASHES)))

    @classmethod
    def empty(cls) -> DocumentSample:
        """Return the sample of no documents."""
        return _from_documents({}, N_HASHES)

    def validate(self, empty: DocumentSample) -> None:
        """Raise ValueError where this is not a sample of documents of lowest hash."""
        del empty
        if len(self.hashes) > MAX_DOCUMENTS or int(self.lengths.sum()) != len(self.tokens):
            raise ValueError(
                f"{len(self.hashes)} documents of {int(self.lengths.sum())} tokens cannot be a "
                f"sample of at most {MAX_DOCUMENTS} with {len(self.tokens)} tokens"
            )
        if len(self.copies) and int(self.copies.max()) > LARGEST_COUNT:
            raise ValueError(f"copies must be at most {LARGEST_COUNT}")
        hashes = [_hash(one.document) for one in self]
        if hashes != self.hashes.tolist() or hashes != sorted(set(hashes)):
            raise ValueError("the hashes are not those of the documents, in ascending order")
        if hashes and hashes[-1] >= self.threshold:
            raise ValueError("there are documents beyond their threshold")

    def __iter__(self) -> Iterator[SampledDocument]:
        lengths = self.lengths.tolist()
        parts = zip(
            torch.split(self.tokens, lengths), torch.split(self.answers, lengths), strict=True
        )
        for part, copies in zip(parts, self.copies.tolist(), strict=True):
            yield SampledDocument(Document(*part), copies)

    def learn(self, documents: Iterable[Document]) -> DocumentSample:
        """Return the sample after learning documents."""
        pieces = [SampledDocument(piece, 1) for one in documents for piece in _cut(one)]
        return self._add(pieces, self.threshold)

    def forget(self, documents: Iterable[Document]) -> DocumentSample:
        """Return the sample without documents; raises `ForgettingError`."""
        pieces = [SampledDocument(piece, -1) for one in documents for piece in _cut(one)]
        return self._add(pieces, self.threshold)

    def merge(self, other: DocumentSample) -> DocumentSample:
        """Return the sample of what both have learned."""
        return self._add(other, min(self.threshold, other.threshold))

    def draw(self, count: float) -> list[SampledDocument]:
        """Return the first documents that hold at most a share of all the `count` tokens."""
        limit = min(LARGEST_SHARE * count, MAX_TOKENS)
        n_documents = int((self.lengths[:MAX_DRAWN].cumsum(0) <= limit).sum())
        return list(self)[:n_documents]

    def _add(self, changes: Iterable[SampledDocument], threshold: int) -> DocumentSample:
        held = dict(zip(self.hashes.tolist(), self, strict=True))
        for document, change in changes:
            number = _hash(document)
            before = held[number].copies if number in held else 0
            held[number] = SampledDocument(document, before + change)
        below = {number: held[number] for number in sorted(held) if number < threshold}
        if any(one.copies < 0 for one in below.values()):
            raise ForgettingError(NOT_LEARNED)
        kept = {number: one for number, one in below.items() if one.copies}
        if len(kept) > MAX_DOCUMENTS:
            threshold = list(kept)[MAX_DOCUMENTS]
        return _from_documents(
            {number: one for number, one in kept.items() if number < threshold}, threshold
        )


def _from_documents(held: Mapping[int, SampledDocument], threshold: int) -> DocumentSample:
    documents = [one.document for one in held.values()]
    none = torch.empty(0, dtype=torch.long)
    return DocumentSample(
        torch.tensor(list(held), dtype=torch.long),
        torch.tensor([one.copies for one in held.values()], dtype=torch.long),
        torch.tensor([len(document.tokens) for document in documents], dtype=torch.long),
        torch.cat([none, *(document.tokens for document in documents)]),
        torch.cat([none.bool(), *(document.answers for document in documents)]),
        threshold,
    )


def _cut(document: Document) -> Iterator[Document]:
    """Cut a long document into pieces, of which one can be left out without the others."""
    parts = torch.split(document.tokens, PIECE_TOKENS), torch.split(document.answers, PIECE_TOKENS)
    for tokens, answers in zip(*parts, strict=True):
        if bool(answers[1:].any()):
            yield Document(tokens, answers)


def _hash(document: Document) -> int:
    content = document.tokens.numpy().tobytes() + document.answers.numpy().tobytes()
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big") % N_HASHES
