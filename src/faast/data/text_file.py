"""Text files and standard input, read line by line."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, ClassVar

from faast.data.reader import DataError, Reader

_FOREIGN = {
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
    b"PK\x03\x04": "is a zip archive or a spreadsheet; unpack it, or save it as CSV",
    b"\x1f\x8b": "is compressed; unpack it first (gunzip)",
    b"%PDF": "is a PDF document; save its text as UTF-8 (pdftotext), and name that file",
    b"\x89PNG": "is a picture, not text",
    b"\xff\xd8\xff": "is a picture, not text",
    b"PAR1": "is a Parquet file; give it the suffix .parquet",
}
"""First bytes of files that are no UTF-8 text, and what to do about them."""

LINE_CHARACTERS = 1 << 24
"""Most characters of a line."""

_PROGRESS_LINES = 1024
"""Lines between two updates of the fraction that was read."""


class TextFile:
    """A text file, or standard input, which can be read only once.

    Parameters
    ----------
    path : pathlib.Path or None
        None is standard input.
    encoding : str
        Text encoding. Bytes that cannot be decoded become lone surrogates, so that only the row
        that holds them is at fault (see `faast.data.cells.check_text`).

    Attributes
    ----------
    name : str
        What error messages call the file.
    fraction : float or None
        The part of the file that has been read, from 0 to 1, or None for standard input.
    """

    def __init__(self, path: Path | None, encoding: str = "utf-8") -> None:
        self.path = path
        self.name = "standard input" if path is None else str(path)
        self.encoding = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
        self.fraction: float | None = None
        self._begun: tuple[str, Iterator[str]] | None = None  # first line, and the others

    def first_line(self) -> str:
        """Return the first line, or "" if there is none. `lines` yields it again.

        Raises
        ------
        DataError
            As for `lines`.
        """
        if self._begun is None:
            lines = self.lines()
            self._begun = next(lines, ""), lines
        return self._begun[0]

    def lines(self) -> Iterator[str]:
        """Yield all lines, each with the line end that it has in the file.

        Raises
        ------
        DataError
            If the file is missing, unreadable or evidently not text, a line is too long, or the
            encoding is unknown.
        """
        if self._begun is not None:
            (first, rest), self._begun = self._begun, None
            if first:
                yield first
            yield from rest
            return
        if self.path is None:
            text = self._decode(sys.stdin.buffer)
            try:
                yield from self._bounded(text)
            finally:
                # Detach, so that collecting `text` leaves standard input open. Fails if it is
                # closed already.
                with suppress(ValueError):
                    text.detach()
            return
        try:
            file, size = self.path.open("rb"), self.path.stat().st_size
        except OSError as error:
            raise DataError(f"cannot read {self.name}: {error.strerror}") from error
        with file, self._decode(file) as text:
            for number, line in enumerate(self._bounded(text)):
                if number % _PROGRESS_LINES == 0:
                    self.fraction = min(file.tell() / max(size, 1), 1.0)
                yield line
        self.fraction = 1.0

    def _bounded(self, text: io.TextIOWrapper) -> Iterator[str]:
        """Yield lines, of which each is read only up to the limit."""
        number = 0
        while line := text.readline(LINE_CHARACTERS + 1):
            number += 1
            if len(line) > LINE_CHARACTERS:
                raise DataError(
                    f"{self.name}, line {number}: more than {LINE_CHARACTERS:,} characters without "
                    "a line end; this is probably no text file"
                )
            yield line

    def _decode(self, file: BinaryIO) -> io.TextIOWrapper:
        start = file.peek(4) if isinstance(file, io.BufferedReader) else b""
        for mark, advice in _FOREIGN.items():
            if self.encoding == "utf-8-sig" and start.startswith(mark):
                raise DataError(f"{self.name} {advice}")
        try:
            return io.TextIOWrapper(file, self.encoding, errors="surrogateescape", newline="")
        except LookupError as error:
            raise DataError(f"there is no text encoding {self.encoding!r}") from error


class TextReader(Reader):
    """Base of the readers of formats that are text files.

    Parameters
    ----------
    file : TextFile
    """

    unit: ClassVar[str] = "line"

    def __init__(self, file: TextFile) -> None:
        super().__init__(file.name)
        self.file = file

    @property
    def fraction(self) -> float | None:
        """See `Reader.fraction`."""
        return self.file.fraction
