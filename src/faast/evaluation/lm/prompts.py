"""Templates that make a prompt and its answer from the fields of a record."""

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
    """Texts of a prompt and its answer, with field names in braces.

    Parameters
    ----------
    prompt, answer : str
        The answer follows the prompt as it is, so one of the two must hold the space between them.

    Raises
    ------
    ValueError
        If braces do not match or do not hold a field name.
    """

    prompt: str
    answer: str

    def __post_init__(self) -> None:
        field_names(self.prompt)
        field_names(self.answer)

    @property
    def columns(self) -> list[str]:
        """Field names of the prompt and the answer, each once, in order."""
        return list(dict.fromkeys([*field_names(self.prompt), *field_names(self.answer)]))

    def example(self, fields: Fields) -> Example:
        """Fill in the prompt and the answer from one record.

        Parameters
        ----------
        fields : mapping of str to value

        Raises
        ------
        ValueError
            If a field is missing or None.
        """
        return Example(_fill(self.prompt, fields), _fill(self.answer, fields))

    def fill_prompt(self, fields: Fields) -> str:
        """Fill in the prompt alone, from a record that may lack the answer; see `example`."""
        return _fill(self.prompt, fields)


def field_names(text: str) -> list[str]:
    """Return the field names in braces, in order.

    Raises
    ------
    ValueError
        If braces do not match or do not hold a field name.
    """
    try:
        names = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise ValueError(
            f"the template {text!r} is wrong: {error}; double a literal brace"
        ) from error
    if not all(name.isidentifier() for name in names):
        raise ValueError(
            f"the template {text!r} must hold column names in braces; double a literal brace"
        )
    return names


def _fill(text: str, fields: Fields) -> str:
    empty = [name for name in field_names(text) if fields.get(name) is None]
    if empty:
        raise ValueError(f"{empty[0]!r} has no value; fill it in or leave the record out")
    return text.format_map(fields)


SENTIMENT = Template("Review: {text}\nSentiment:", " {label}")
"""Template for SST-2 and IMDB in FAAST (arXiv 2605.04651)."""


def translation_template(source: str, target: str) -> Template:
    """Make the template of a translation task from the English names of two languages."""
    return Template(f"{source}: {{source}}\n{target}:", " {target}")
