"""CSV and TSV files with a header line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import ClassVar

from faast.data.columns import check_names
from faast.data.reader import Choose, DataError, Record, RowError
from faast.data.text_file import TextFile, TextReader

FIELD_CHARACTERS = 1 << 22
"""Most characters of a field: longer than a long novel, and small beside memory."""


class DelimitedReader(TextReader):
    """Read rows of fields, quoted if they contain the delimiter, a quote or a line end.

    Parameters
    ----------
    file : TextFile
    delimiter : str
    """

    typed: ClassVar[bool] = False

    def __init__(self, file: TextFile, delimiter: str) -> None:
        super().__init__(file)
        self.delimiter = delimiter

    def records(self, choose: Choose) -> Iterator[Record | RowError]:
        """See `Reader.records`."""
        # The limit holds for the whole process: only raise it, so that other code still works.
        csv.field_size_limit(max(csv.field_size_limit(), FIELD_CHARACTERS))
        first = self.file.first_line()
        rows = csv.reader(self.file.lines(), delimiter=self.delimiter, strict=True)
        try:
            header = self._read_header(rows)
            wanted = set(choose(header))
        except DataError as error:
            raise DataError(f"{error}{self._suggest_format(first)}") from error
        kept = [(column, name) for column, name in enumerate(header) if name in wanted]
        while True:
            number = rows.line_num + 1
            try:
                fields = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield RowError(number, _explain(error))
                continue
            if len(fields) == len(header):
                yield Record(number, {name: fields[column] for column, name in kept})
            elif fields:  # a blank line has no fields
                yield RowError(
                    number,
                    f"{len(fields)} fields, the header has {len(header)}; put double quotes "
                    "around fields that contain the delimiter",
                )

    def _read_header(self, rows: Iterator[list[str]]) -> list[str]:
        try:
            header = next(rows)
        except StopIteration:
            raise DataError(f"{self.name} is empty; its first line must name columns") from None
        except csv.Error as error:
            raise DataError(f"{self.name}, line 1: {_explain(error)}") from error
        header = [name.strip() for name in header]
        check_names(header, f"{self.name}, line 1")
        return header

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
