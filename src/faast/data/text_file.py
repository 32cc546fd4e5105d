"""Text files and standard input, read line by line."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from faast.data.reader import DataError

_FOREIGN = {
    b"\xff\xfe": "is UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "is UTF-16 text; save it as UTF-8",
    b"PK\x03\x04": "is a zip archive or a spreadsheet; unpack it, or save it as CSV",
    b"\x1f\x8b": "is compressed; unpack it first (gunzip)",
    b"PAR1": "is a Parquet file; give it the suffix .parquet",
}

_LINES_BETWEEN_TELLS = 1024


class TextFile:
    """A file of text, or standard input (which can be read once).

    Parameters
    ----------
    path : pathlib.Path or None
        None is standard input.
    encoding : str
        Bytes that do not decode become lone surrogates, for the row that holds them to report.
    """

    def __init__(self, path: Path | None, encoding: str = "utf-8") -> None:
        self.path = path
        self.name = "standard input" if path is None else str(path)
        self.encoding = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
        self.fraction: float | None = None
        self._begun: tuple[str, Iterator[str]] | None = None

    def first_line(self) -> str:
        """Read the first line, empty if there is none; `lines` still begins with it."""
        if self._begun is None:
            lines = self.lines()
            self._begun = next(lines, ""), lines
        return self._begun[0]

    def lines(self) -> Iterator[str]:
        """Yield the lines, with their ends as they are in the file.

        Raises
        ------
        DataError
            Missing, unreadable, evidently no text, or of an unknown encoding.
        """
        if self._begun is not None:
            (first, rest), self._begun = self._begun, None
            if first:
                yield first
            yield from rest
            return
        if self.path is None:
            text = self._decoded(sys.stdin.buffer)
            try:
                yield from text
            finally:
                # Closing it would close standard input, which may be closed already.
                with suppress(ValueError):
                    text.detach()
            return
        try:
            file, size = self.path.open("rb"), self.path.stat().st_size
        except OSError as error:
            raise DataError(f"cannot read {self.name}: {error.strerror}") from error
        with file, self._decoded(file) as text:
            for number, line in enumerate(text):
                if number % _LINES_BETWEEN_TELLS == 0:
                    self.fraction = min(file.tell() / max(size, 1), 1.0)
                yield line
        self.fraction = 1.0

    def _decoded(self, file: BinaryIO) -> io.TextIOWrapper:
        start = file.peek(4) if isinstance(file, io.BufferedReader) else b""
        for mark, advice in _FOREIGN.items():
            if self.encoding == "utf-8-sig" and start.startswith(mark):
                raise DataError(f"{self.name} {advice}")
        try:
            return io.TextIOWrapper(file, self.encoding, errors="surrogateescape", newline="")
        except LookupError as error:
            raise DataError(f"there is no text encoding {self.encoding!r}") from error
