"""Templates that make prompts and answers of records."""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter
from typing import NamedTuple

from faast.data.records import Fields


class Example(NamedTuple):
    """A prompt and the answer that continues it."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Template:
    """A prompt and its answer, with names of fields in braces.

    Parameters
    ----------
    prompt, answer : str
        The answer follows the prompt as it is: the space between them belongs to one of the two.

    Raises
    ------
    ValueError
        Braces that do not match, or that hold no name.
    """

    prompt: str
    answer: str

    def __post_init__(self) -> None:
        fields_of(self.prompt)
        fields_of(self.answer)

    @property
    def columns(self) -> list[str]:
        """Fields of both, without repetition."""
        return list(dict.fromkeys([*fields_of(self.prompt), *fields_of(self.answer)]))

    def example(self, fields: Fields) -> Example:
        """Fill both from one record.

        Raises
        ------
        ValueError
            A field without a value.
        """
        empty = [name for name in self.columns if fields.get(name) is None]
        if empty:
            raise ValueError(f"{empty[0]!r} has no value; fill it in or leave the record out")
        return Example(self.prompt.format_map(fields), self.answer.format_map(fields))


def fields_of(text: str) -> list[str]:
    """Return the names in braces.

    Raises
    ------
    ValueError
        Braces that do not match, or that hold no name.
    """
    try:
        names = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise ValueError(
            f"the template {text!r} is wrong: {error}; double a literal brace"
        ) from error
    if not all(name.isidentifier() for name in names):
        raise ValueError(
            f"the template {text!r} must hold names of columns in braces; double a literal brace"
        )
    return names


SENTIMENT = Template("Review: {text}\nSentiment:", " {label}")
"""FAAST (arXiv 2605.04651): SST-2 and IMDB."""


def translation(source: str, target: str) -> Template:
    """Return the template of a translation between two languages, named in English."""
    return Template(f"{source}: {{source}}\n{target}:", " {target}")
