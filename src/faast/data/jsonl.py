"""JSON lines: files with one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from faast.data.reader import Choose, Record, RowError
from faast.data.text_file import TextReader


class JsonLinesReader(TextReader):
    """Read objects; the keys of the first one are the columns to choose from.

    Parameters
    ----------
    file : TextFile
    """

    def records(self, choose: Choose) -> Iterator[Record | RowError]:
        """See `Reader.records`."""
        wanted: list[str] | None = None
        for number, line in enumerate(self.file.lines(), start=1):
            if not line.strip():
                continue
            try:
                fields = parse_object(line)
            except ValueError as error:
                yield RowError(number, str(error))
                continue
            if wanted is None:
                wanted = list(choose(list(fields)))
            needed = wanted if self.needed is None else self.needed
            missing = [name for name in needed if name not in fields]
            if missing:
                yield RowError(number, f"no {missing[0]!r}; the object has {', '.join(fields)}")
            else:
                yield Record(number, {name: fields.get(name) for name in wanted})


def parse_object(line: str) -> dict[str, Any]:
    """Return the object of a line.

    Raises
    ------
    ValueError
        The line holds something else, or the object has a name twice.
    """
    try:
        fields = json.loads(line, object_pairs_hook=_distinct)
    except _TwiceError as error:
        raise ValueError(f"{error.args[0]!r} is there twice; rename one") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error}); each line must hold one object") from error
    if not isinstance(fields, dict):
        kind = type(fields).__name__
        raise ValueError(f'a JSON {kind}, not an object such as {{"text": "..."}}')
    return fields


class _TwiceError(ValueError):
    """Raised for a name that an object has twice."""


def _distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of an object, none of which may be there twice."""
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise _TwiceError(name)
        found[name] = value
    return found
