"""JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator

from faast.data.reader import Choose, Fault, Record
from faast.data.text_file import TextFile


class JsonLinesReader:
    """Objects with the columns of the first one, in any order, beside others.

    Parameters
    ----------
    file : TextFile
    """

    unit = "line"

    def __init__(self, file: TextFile) -> None:
        self.file, self.name = file, file.name

    @property
    def fraction(self) -> float | None:
        """See `Reader`."""
        return self.file.fraction

    def records(self, choose: Choose) -> Iterator[Record | Fault]:
        """See `Reader.records`."""
        wanted: list[str] | None = None
        for number, line in enumerate(self.file.lines(), start=1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Fault(number, f"no JSON ({error}); each line must hold one object")
                continue
            if not isinstance(fields, dict):
                kind = type(fields).__name__
                yield Fault(number, f'a JSON {kind}, not an object such as {{"text": "..."}}')
                continue
            if wanted is None:
                wanted = list(choose(list(fields)))
            absent = [name for name in wanted if name not in fields]
            if absent:
                yield Fault(number, f"no {absent[0]!r}; the object has {', '.join(fields)}")
            else:
                yield Record(number, {name: fields[name] for name in wanted})
