"""CSV and TSV files with a header line."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from faast.data.columns import check_names
from faast.data.reader import Choose, DataError, Fault, Record
from faast.data.text_file import TextFile

FIELD_CHARACTERS = 1 << 22
"""Characters of the longest field: more than a long novel, little beside memory."""


class DelimitedReader:
    """Rows of fields, quoted where they contain the delimiter, a quote or a line end.

    Parameters
    ----------
    file : TextFile
    delimiter : str
    """

    unit = "line"

    def __init__(self, file: TextFile, delimiter: str) -> None:
        self.file, self.name, self.delimiter = file, file.name, delimiter

    @property
    def fraction(self) -> float | None:
        """See `Reader`."""
        return self.file.fraction

    def records(self, choose: Choose) -> Iterator[Record | Fault]:
        """See `Reader.records`."""
        # One limit for the whole process: never lowered, so as to break no one else's reading.
        csv.field_size_limit(max(csv.field_size_limit(), FIELD_CHARACTERS))
        first = self.file.first_line()
        rows = csv.reader(self.file.lines(), delimiter=self.delimiter, strict=True)
        try:
            header = self._header(rows)
            wanted = set(choose(header))
        except DataError as error:
            raise DataError(f"{error}{self._doubt(first)}") from error
        kept = [(place, name) for place, name in enumerate(header) if name in wanted]
        while True:
            number = rows.line_num + 1
            try:
                fields = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Fault(number, _fault(error))
                continue
            if len(fields) == len(header):
                yield Record(number, {name: fields[place] for place, name in kept})
            elif fields:  # blank lines are no rows
                yield Fault(
                    number,
                    f"{len(fields)} fields, the header has {len(header)}; put double quotes "
                    "around fields that contain the delimiter",
                )

    def _header(self, rows: Iterator[list[str]]) -> list[str]:
        try:
            header = next(rows)
        except StopIteration:
            raise DataError(f"{self.name} is empty; its first line must name columns") from None
        except csv.Error as error:
            raise DataError(f"{self.name}, line 1: {_fault(error)}") from error
        header = [name.strip() for name in header]
        check_names(header, f"{self.name}, line 1")
        return header

    def _doubt(self, first: str) -> str:
        """Say what the file may be instead, by its first line."""
        if first.lstrip().startswith("{"):
            return '; it looks like JSON lines: say format="jsonl" (--format jsonl)'
        if self.delimiter == "," and "\t" in first:
            return '; it looks separated by tabs: say format="tsv" (--format tsv)'
        if ";" in first:
            return "; it looks separated by semicolons: save it with commas"
        if self.file.path is None:
            return "; standard input is read as CSV: else say format (--format jsonl, tsv or lines)"
        return ""


def _fault(error: csv.Error) -> str:
    if "field limit" in str(error):
        return (
            f"a field of more than {FIELD_CHARACTERS:,} characters; either a double quote is not "
            "closed, or the text is too long for CSV (JSON lines or Parquet hold any text)"
        )
    return (
        f"{error}; a double quote is probably not closed, or stands inside a field without being "
        "doubled (JSON lines or Parquet hold any text)"
    )
