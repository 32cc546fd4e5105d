"""What is wrong with a value that was sent, in plain words: what was expected, and what was given.

Texts that were given are never repeated: they may be somebody's. Numbers are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

EXPECTED = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "list": "a list",
    "dict": "an object",
    "model": "an object",
}
"""What values are called, by the first word of pydantic's types of errors."""

SENTENCES = {
    "missing": "it is missing",
    "extra_forbidden": "it is not known here; leave it out",
    "json_invalid": "it is no JSON ({error} at character {at})",
    "string_unicode": "it has half of a surrogate pair; send whole characters",
    "union_tag_invalid": "its member {discriminator} must be one of {expected_tags}",
    "union_tag_not_found": "its member {discriminator} is missing",
    "value_error": "{error}",
}
"""What is said whatever was given, by pydantic's type of error."""

COMPARED = {
    "greater_than_equal": ("ge", "at least"),
    "less_than_equal": ("le", "at most"),
    "greater_than": ("gt", "more than"),
    "less_than": ("lt", "less than"),
}
"""Limit of numbers and times, by pydantic's type of error."""

LARGEST = 10**15
"""Numbers beyond are not written out."""


def describe_error(error: Mapping[str, Any]) -> str:
    """Say what is wrong with a value.

    Parameters
    ----------
    error : mapping
        One of the errors of a `pydantic.ValidationError` or of FastAPI's `RequestValidationError`.
    """
    kind, given, limits = error["type"], error["input"], error.get("ctx", {})
    place: Sequence[str | int] = error["loc"]
    if isinstance(given, bytes):
        return "it was not sent as JSON; send it with the header Content-Type: application/json"
    if kind in SENTENCES:
        return SENTENCES[kind].format(**limits, at=place[-1] if place else "")
    if kind in COMPARED:
        name, words = COMPARED[kind]
        limit = limits[name]
        if isinstance(limit, str):  # a time, which pydantic has written out
            return f"expected {words} {limit}, got another time"
        return f"expected {words} {_number(limit)}, got {_other(given, 'number')}"
    if kind == "literal_error":
        return f"expected {limits['expected']}, got {_other(given, 'text')}"
    if kind.endswith(("too_long", "too_short")):
        return _wrong_length(given, limits)
    expected = EXPECTED.get(kind.partition("_")[0])
    return str(error["msg"]) if expected is None else f"expected {expected}, got {_shown(given)}"


def _wrong_length(given: Any, limits: Mapping[str, Any]) -> str:
    what = "characters" if isinstance(given, str) else "items"
    name, words = next(
        (name, words)
        for name, words in (("max_length", "at most"), ("min_length", "at least"))
        if name in limits
    )
    return f"expected {words} {limits[name]} {what}, got {limits.get('actual_length', len(given))}"


def _other(given: Any, what: str) -> str:
    return f"another {what}" if isinstance(given, str) else _shown(given)


def _number(number: float) -> str:
    return f"{number:.15g}"


def _shown(given: Any) -> str:
    """Return what a value is, without the texts in it."""
    if given is None:
        return "null"
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, float) and not math.isfinite(given):
        return "infinity" if given > 0 else "minus infinity" if given < 0 else "NaN"
    if isinstance(given, int | float):
        return _number(given) if abs(given) < LARGEST else f"a number beyond {LARGEST:.0e}"
    if isinstance(given, str):
        return "a text" if given else "an empty text"
    return "a list" if isinstance(given, list | tuple) else "an object"
