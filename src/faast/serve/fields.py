"""Fields that requests share, with their limits."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

MAX_TEXT = 20_000
"""Characters that a text may have."""

MAX_LABEL = 200
"""Characters that a label or a source may have."""

MAX_ROWS = 1_000
"""Rows or texts that a request may have."""


def _visible(text: str) -> str:
    if not any(letter.isprintable() and not letter.isspace() for letter in text):
        raise ValueError("it has no visible character; write some text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("it has half of a surrogate pair; send whole characters") from error
    return text


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it has a line break or control character; write it on one line")
    return text


Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_visible)]
Label = Annotated[
    str, Field(max_length=MAX_LABEL), AfterValidator(_visible), AfterValidator(_one_line)
]
Texts = Annotated[list[Text], Field(min_length=1, max_length=MAX_ROWS)]


class Request(BaseModel):
    """Base class of requests: unknown members and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True)
