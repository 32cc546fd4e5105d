"""Names of tasks and memories, by which servers find them."""

from __future__ import annotations

import re

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
"""No dots or slashes, so that a name is never a path."""


def check_name(name: str, what: str) -> None:
    """Check the name of a task or a memory.

    Raises
    ------
    ValueError
        It holds other characters than `NAME_PATTERN` allows, or is too long.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise ValueError(
            f"a {what} is named in letters a to z or A to Z, digits, - and _, up to 64, with a "
            f"letter or digit first, so that it can be served by its name; got {name!r}, choose "
            "another"
        )
