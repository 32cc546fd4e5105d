"""CSV and TSV files with a header line.

CSV fields may be quoted, and a quoted field may hold line ends. A double quote that is not closed
would make one field of many rows, so a field that holds what looks like several rows is refused.
Every bad row costs one line: reading goes on with the line after the one on which it begins.

TSV has no quoting: each line is a row. A field that begins and ends with a double quote, as pandas
writes it around a double quote, is taken out of its quotes.
"""

from __future__ import annotations

import csv
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from faast.data.columns import check_names
from faast.data.reader import Choose, DataError, Record, RowError
from faast.data.text_file import TextReader

FIELD_CHARACTERS = 1 << 22
"""Most characters of a field: longer than a long novel, and small beside memory."""

SUSPICIOUS_LINES = 3
"""Lines inside a quoted field that, if each of them looks like a row, are taken for rows."""


class _Row(NamedTuple):
    """The fields of the row that begins on a line, or the reason why there are none."""

    number: int
    fields: list[str]
    error: str = ""


class DelimitedReader(TextReader):
    """The base of `CsvReader` and `TsvReader`.

    Parameters
    ----------
    file : TextFile
    """

    typed: ClassVar[bool] = False
    delimiter: ClassVar[str]

    def records(self, choose: Choose) -> Iterator[Record | RowError]:
        """See `Reader.records`."""
        first = self.file.first_line()
        rows = self._rows(_Lines(self.file.lines()))
        try:
            header = self._read_header(rows)
            wanted = set(choose(header))
        except DataError as reason:
            raise DataError(f"{reason}{self._suggest_format(first)}") from reason
        kept = [(column, name) for column, name in enumerate(header) if name in wanted]
        for number, fields, problem in rows:
            if problem:
                yield RowError(number, problem)
            elif len(fields) == len(header):
                yield Record(number, {name: fields[column] for column, name in kept})
            else:
                yield RowError(
                    number,
                    f"{len(fields)} fields, the header has {len(header)}; {self._advice}",
                )

    _advice: ClassVar[str]
    """What to do about a row with a wrong number of fields."""

    @abstractmethod
    def _rows(self, lines: _Lines) -> Iterator[_Row]:
        """Split lines into rows, and leave out blank lines."""

    def _read_header(self, rows: Iterator[_Row]) -> list[str]:
        header = next(rows, None)
        if header is None:
            raise DataError(f"{self.name} is empty; its first line must name columns")
        if header.error:
            raise DataError(f"{self.name}, line {header.number}: {header.error}")
        names = [name.strip() for name in header.fields]
        check_names(names, f"{self.name}, line {header.number}")
        return names

    def _suggest_format(self, first_line: str) -> str:
        """Return the end of an error message: what the format may be, judged by the first line."""
        if first_line.lstrip().startswith("{"):
            return '; it looks like JSON lines: say format="jsonl" (--format jsonl)'
        if self.delimiter == "," and "\t" in first_line:
            return '; it looks separated by tabs: say format="tsv" (--format tsv)'
        if ";" in first_line:
            return "; it looks separated by semicolons: save it with commas"
        if self.file.path is None:
            return (
                "; standard input is read as CSV: if it is not, say format "
                "(--format jsonl, tsv or lines)"
            )
        return ""


class CsvReader(DelimitedReader):
    """Read rows of fields, quoted if they contain the delimiter, a quote or a line end."""

    delimiter: ClassVar[str] = ","
    _advice: ClassVar[str] = "put double quotes around fields that contain the delimiter"

    def _rows(self, lines: _Lines) -> Iterator[_Row]:
        # The limit holds for the whole process: only raise it, so that other code still works.
        csv.field_size_limit(max(csv.field_size_limit(), FIELD_CHARACTERS))
        width = 0
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        while True:
            number = lines.begin_row()
            try:
                fields = next(reader)
                error = self._find_rows(lines.row, width)
            except StopIteration:
                return
            except csv.Error as reason:
                fields, error = [], _explain(reason)
            if error:
                lines.go_back()
                reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
            elif not fields:  # a blank line
                continue
            width = width or len(fields)
            yield _Row(number, fields, error)

    def _find_rows(self, lines: list[str], width: int) -> str:
        """Return why a row on several lines is probably several rows; "" if it is not.

        Judged are the lines inside, as the first and the last may hold quotes that belong there.
        """
        inside = lines[1:-1]
        if width < 2 or len(inside) < SUSPICIOUS_LINES:
            return ""
        if any(line.count(self.delimiter) != width - 1 for line in inside):
            return ""
        return (
            f"a quoted field holds {len(inside)} lines that each look like a row; a double quote "
            "is probably not closed, or stands at the beginning of a field without being doubled "
            "(JSON lines and Parquet hold any text)"
        )


class TsvReader(DelimitedReader):
    """Read rows of fields, one on each line."""

    delimiter: ClassVar[str] = "\t"
    _advice: ClassVar[str] = "a field cannot hold a tab or a line end: replace them by spaces"

    def _rows(self, lines: _Lines) -> Iterator[_Row]:
        while True:
            number = lines.begin_row()
            line = next(lines, None)
            if line is None:
                return
            if not line.strip("\r\n"):
                continue
            if len(line) > FIELD_CHARACTERS:
                yield _Row(number, [], f"a line of more than {FIELD_CHARACTERS:,} characters")
                continue
            yield _Row(number, [_unquote(text) for text in line.rstrip("\r\n").split("\t")])


class _Lines:
    """Lines of a file that remember those of the row that is being read.

    Parameters
    ----------
    lines : iterator of str
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self._number = 1
        self.row: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self.row.append(line)
        return line

    def begin_row(self) -> int:
        """Begin the next row, and return the number of its first line."""
        self._number += len(self.row)
        self.row = []
        return self._number

    def go_back(self) -> None:
        """Read the lines of this row again, but for the first."""
        self._again.extendleft(reversed(self.row[1:]))
        del self.row[1:]


def _unquote(field: str) -> str:
    if len(field) < 2 or field[0] != '"' or field[-1] != '"':
        return field
    inside = field[1:-1]
    return field if '"' in inside.replace('""', "") else inside.replace('""', '"')


def _explain(error: csv.Error) -> str:
    if "field limit" in str(error):
        return (
            f"a field of more than {FIELD_CHARACTERS:,} characters; either a double quote is not "
            "closed, or the text is too long for CSV (JSON lines and Parquet hold any text)"
        )
    return (
        f"{error}; a double quote is probably not closed, or stands inside a field without being "
        "doubled (JSON lines and Parquet hold any text)"
    )
