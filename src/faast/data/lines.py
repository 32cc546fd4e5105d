"""Plain text: every line is a row without a label."""

from __future__ import annotations

from collections.abc import Iterator

from faast.data.reader import Choose, Fault, Record
from faast.data.text_file import TextFile

COLUMN = "text"


class PlainLinesReader:
    """Lines as rows; blank lines are none.

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
        choose([COLUMN])
        for number, line in enumerate(self.file.lines(), start=1):
            if line.strip():
                yield Record(number, {COLUMN: line.rstrip("\r\n")})
