"""Read the texts that a command names: as documents to learn, or as prompts to answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from operator import length_hint
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from faast._utils.progress import progress_bar
from faast.cli.lm import _text_files
from faast.cli.lm._text_files import find_sources, is_text_file, read_text
from faast.data import DataError
from faast.data.cells import parse_text
from faast.data.open import SUFFIXES
from faast.data.records import Fields, RecordSource
from faast.evaluation.lm.prompts import Template, field_names

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from faast.lm.batch import Document

T = TypeVar("T")

PROMPT_AND_ANSWER = Template("{prompt}", " {answer}")
"""Template of records that hold a finished prompt and answer."""

CHAT_COLUMN, TEXT_COLUMN = "messages", "text"


class PromptSet(NamedTuple):
    """Prompts to answer.

    Attributes
    ----------
    prompts : list of str
    answers : list of str, or None
        Expected answers; None if the source does not hold them.
    records : list of mapping
        The records that the prompts were made from.
    """

    prompts: list[str]
    answers: list[str] | None
    records: list[Fields]


def parse_template(prompt: str | None, answer: str | None) -> Template | None:
    r"""Make a template from the options --prompt and --answer; see `unescape`.

    Raises
    ------
    ValueError
        If only one of the two is given, or if its braces hold no column name.
    """
    if prompt is None and answer is None:
        return None
    if prompt is None or answer is None:
        raise ValueError("--prompt and --answer go together; give both or neither")
    return Template(unescape(prompt), unescape(answer))


def unescape(text: str) -> str:
    r"""Replace the two characters ``\n`` by a line break and ``\t`` by a tab."""
    return text.replace("\\n", "\n").replace("\\t", "\t")


def read_documents(
    sources: Sequence[str], tokenizer: PreTrainedTokenizerBase, split: str | None
) -> Iterator[Document]:
    """Read the documents of all sources, with a progress bar.

    Parameters
    ----------
    sources : sequence of str
        Text files, folders of them, "-" for text on standard input, and tables. A text is one
        document; a table holds one in each record.
    tokenizer : PreTrainedTokenizerBase
    split : str, optional
        Split to read from a saved dataset.

    Raises
    ------
    DataError
        If a source cannot be read.
    """
    for source in find_sources(sources):
        if is_text_file(source):
            yield _text_file_document(source, tokenizer)
        else:
            yield from _record_documents(source, tokenizer, None, split, "Reading")


def read_windows(
    sources: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    template: Template | None,
    split: str | None,
    length: int,
    description: str = "Learning",
) -> Iterator[Document]:
    """Read the documents of all sources, cut into windows to learn, with a progress bar.

    Parameters
    ----------
    sources : sequence of str
        See `read_documents`.
    tokenizer : PreTrainedTokenizerBase
    template : Template, optional
        Makes prompts and answers from the records of tables.
    split : str, optional
        Split to read from a saved dataset.
    length : int
        Largest number of tokens per window.
    description : str
        Shown beside the bar: what is done with the windows.

    Raises
    ------
    DataError
        If a source cannot be read.
    """
    from faast.lm.documents import split_document

    for source in find_sources(sources):
        if is_text_file(source):
            document = _text_file_document(source, tokenizer)
            yield from with_progress(split_document(document, length), description)
            continue
        for document in _record_documents(source, tokenizer, template, split, description):
            yield from split_document(document, length)


def read_prompts(source: str, template: Template | None, split: str | None) -> PromptSet:
    """Read prompts from a table, and the answers if it has the columns for them.

    Parameters
    ----------
    source : str
    template : Template, optional
        By default the columns ``prompt`` and ``answer``.
    split : str, optional
        Split to read from a saved dataset.

    Raises
    ------
    DataError
        If the source cannot be read, lacks a column of the prompt, or has a record without a value
        for a prompt or an answer.
    """
    template = template or PROMPT_AND_ANSWER
    prompt_columns = field_names(template.prompt)
    answer_columns = set(field_names(template.answer))

    def choose(present: Sequence[str]) -> list[str]:
        return template.columns if answer_columns <= set(present) else prompt_columns

    def fill(fields: Fields) -> tuple[Fields, str, str | None]:
        if answer_columns <= set(fields):
            return fields, *template.example(fields)
        return fields, template.fill_prompt(fields), None

    _check_suffix(source, SUFFIXES)
    rows = _convert(RecordSource(source, choose, split=split), fill, "Reading")
    records, prompts, answers = map(list, zip(*rows, strict=True))
    return PromptSet(prompts, None if answers[0] is None else answers, records)


def with_progress(windows: Sequence[Document], description: str) -> Iterator[Document]:
    """Yield windows that have been read, with a progress bar."""
    left = iter(windows)
    return progress_bar(left, lambda: 1 - length_hint(left) / len(windows), description)


def _record_documents(
    source: str,
    tokenizer: PreTrainedTokenizerBase,
    template: Template | None,
    split: str | None,
    description: str,
) -> Iterator[Document]:
    def choose(present: Sequence[str]) -> list[str]:
        return _document_columns(present) if template is None else template.columns

    def make_document(fields: Fields) -> Document:
        return _record_document(fields, tokenizer, template)

    _check_suffix(source, dict.fromkeys((*SUFFIXES, *_text_files.SUFFIXES)))
    return _convert(RecordSource(source, choose, split=split), make_document, description)


def _document_columns(present: Sequence[str]) -> list[str]:
    """Return the columns to read from a table: the first of three kinds that it has."""
    for columns in ([CHAT_COLUMN], PROMPT_AND_ANSWER.columns, [TEXT_COLUMN]):
        if set(columns) <= set(present):
            return columns
    raise DataError(
        f"the columns are {', '.join(present)}; expected {CHAT_COLUMN}, prompt and answer, or "
        f"{TEXT_COLUMN}; rename one, or use --prompt and --answer where the command has them"
    )


def _record_document(
    fields: Fields, tokenizer: PreTrainedTokenizerBase, template: Template | None
) -> Document:
    """Make a document from the columns that `_document_columns` or a template names."""
    from faast.lm.documents import answer_document, chat_document, text_document

    if template is None and CHAT_COLUMN in fields:
        return chat_document(tokenizer, fields[CHAT_COLUMN])
    if template is None and TEXT_COLUMN in fields:
        return text_document(tokenizer, parse_text(fields[TEXT_COLUMN]))
    return answer_document(tokenizer, *(template or PROMPT_AND_ANSWER).example(fields))


def _check_suffix(source: str, suffixes: Collection[str]) -> None:
    path = Path(source)
    if path.is_file() and path.suffix.lower() not in suffixes:
        raise DataError(f"{source} has none of the suffixes {', '.join(suffixes)}; rename it")


def _text_file_document(path: str, tokenizer: PreTrainedTokenizerBase) -> Document:
    from faast.lm.documents import text_document

    return text_document(tokenizer, read_text(path))


def _convert(
    records: RecordSource, convert: Callable[[Fields], T], description: str
) -> Iterator[T]:
    """Convert records one by one, with a progress bar; errors name the record they are about."""
    for fields in progress_bar(records, lambda: records.fraction, description):
        try:
            converted = convert(fields)
        except ValueError as error:
            raise DataError(f"{records.location}: {error}") from error
        yield converted
