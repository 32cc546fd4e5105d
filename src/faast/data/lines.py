"""Plain text files: every line is a text without a label."""

from __future__ import annotations

from collections.abc import Iterator

from faast.data.reader import Choose, Record
from faast.data.text_file import TextReader

_COLUMN = "text"


class LinesReader(TextReader):
    """Read each line as the column "text", and leave out blank lines.

    Parameters
    ----------
    file : TextFile
    """

    def records(self, choose: Choose) -> Iterator[Record]:
        """See `Reader.records`."""
        choose([_COLUMN])
        for number, line in enumerate(self.file.lines(), start=1):
            if line.strip():
                yield Record(number, {_COLUMN: line.rstrip("\r\n")})
