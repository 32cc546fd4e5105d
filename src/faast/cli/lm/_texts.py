"""Texts for a command: what their columns mean, as documents or as prompts with answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import length_hint
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from faast._utils.progress import progress_bar
from faast.data import DataError
from faast.data.cells import parse_text
from faast.data.records import Fields, RecordSource
from faast.data.text_file import TextFile
from faast.evaluation.lm.prompts import Template, fields_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from faast.lm.documents import Document

PAIR = Template("{prompt}", " {answer}")
CHAT, TEXT = "messages", "text"
RUNNING = (".txt", ".md")


class Asked(NamedTuple):
    """Prompts, and the answers that are expected where the records hold them."""

    prompts: list[str]
    answers: list[str] | None
    fields: list[Fields]


def template_of(prompt: str | None, answer: str | None) -> Template | None:
    r"""Return the template that options name; ``\n`` and ``\t`` in them are what they say."""
    if prompt is None and answer is None:
        return None
    if prompt is None or answer is None:
        raise ValueError("--prompt and --answer go together: one text of each record")
    return Template(unescaped(prompt), unescaped(answer))


def unescaped(text: str) -> str:
    r"""Make ``\n`` and ``\t``, as shells leave them, a line end and a tab."""
    return text.replace("\\n", "\n").replace("\\t", "\t")


def documents(
    sources: Sequence[str], tokenizer: PreTrainedTokenizerBase, split: str | None
) -> Iterator[Document]:
    """Read whole documents of all sources, with a bar."""
    for source in sources:
        if _is_running_text(source):
            yield _running_text(source, tokenizer)
        else:
            yield from _of_records(source, _Reader(tokenizer, None), split, "Reading")


def lessons(
    sources: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    template: Template | None,
    split: str | None,
    window: int,
) -> Iterator[Document]:
    """Read documents of all sources, cut into windows to learn, with a bar."""
    from faast.lm.documents import split_document

    for source in sources:
        if _is_running_text(source):
            yield from _paced(split_document(_running_text(source, tokenizer), window))
            continue
        for document in _of_records(source, _Reader(tokenizer, template), split, "Learning"):
            yield from split_document(document, window)


def asked(source: str, template: Template | None, split: str | None) -> Asked:
    """Read prompts, and answers where the source has the columns that they are made of."""
    template = template or PAIR
    answered = False

    def choose(present: Sequence[str]) -> list[str]:
        nonlocal answered
        answered = set(fields_of(template.answer)) <= set(present)
        return template.columns if answered else fields_of(template.prompt)

    fields = list(_followed(RecordSource(source, choose, split=split), "Reading"))
    if not answered:
        return Asked([template.prompt.format_map(row) for row in fields], None, fields)
    examples = [template.example(row) for row in fields]
    return Asked([e.prompt for e in examples], [e.answer for e in examples], fields)


class _Reader:
    """Documents of the records of one source."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, template: Template | None) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self.document: Callable[[Fields], Document] = self._answer

    def choose(self, present: Sequence[str]) -> list[str]:
        """Take the first kind of columns that is there."""
        if self.template is not None:
            return self.template.columns
        if CHAT in present:
            self.document = self._chat
            return [CHAT]
        if set(PAIR.columns) <= set(present):
            self.template = PAIR
            return PAIR.columns
        if TEXT in present:
            self.document = self._text
            return [TEXT]
        raise DataError(
            f"the columns are {', '.join(present)}; expected {CHAT}, prompt and answer, or {TEXT} "
            "(--prompt and --answer make prompts and answers of other columns)"
        )

    def _answer(self, fields: Fields) -> Document:
        from faast.lm.documents import answer_document

        assert self.template is not None
        return answer_document(self.tokenizer, *self.template.example(fields))

    def _chat(self, fields: Fields) -> Document:
        from faast.lm.documents import chat_document

        return chat_document(self.tokenizer, fields[CHAT])

    def _text(self, fields: Fields) -> Document:
        from faast.lm.documents import text_document

        return text_document(self.tokenizer, parse_text(fields[TEXT]))


def _of_records(
    source: str, reader: _Reader, split: str | None, description: str
) -> Iterator[Document]:
    records = RecordSource(source, reader.choose, split=split)
    for fields in _followed(records, description):
        try:
            document = reader.document(fields)
        except ValueError as error:
            raise DataError(f"{records.place}: {error}") from error
        yield document


def _is_running_text(source: str) -> bool:
    return Path(source).suffix.lower() in RUNNING


def _running_text(source: str, tokenizer: PreTrainedTokenizerBase) -> Document:
    from faast.lm.documents import text_document

    text = "".join(TextFile(Path(source)).lines())
    try:
        return text_document(tokenizer, parse_text(text))
    except ValueError as error:
        raise DataError(f"{source}: {error}") from error


def _followed(records: RecordSource, description: str) -> Iterable[Fields]:
    return progress_bar(records, lambda: records.fraction, description, enabled=True)


def _paced(parts: list[Document]) -> Iterator[Document]:
    left = iter(parts)
    return progress_bar(left, lambda: 1 - length_hint(left) / len(parts), "Learning", enabled=True)
