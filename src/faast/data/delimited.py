"""CSV and TSV files with a header line."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from faast.data.records import Choose, DataError, Fault, Record
from faast.data.text_file import TextFile


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
        rows = csv.reader(self.file.lines(), delimiter=self.delimiter, strict=True)
        header = self._header(rows)
        wanted = set(choose(header))
        kept = [(place, name) for place, name in enumerate(header) if name in wanted]
        while True:
            number = rows.line_num + 1
            try:
                fields = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Fault(number, _quoting(str(error)))
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
            raise DataError(f"{self.name}, line 1: {_quoting(str(error))}") from error
        header = [name.strip() for name in header]
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice:
            raise DataError(f"{self.name}, line 1: column {twice[0]!r} is there twice; rename one")
        return header


def _quoting(error: str) -> str:
    return (
        f"{error}; a double quote is probably not closed, or stands inside a field without being "
        "doubled (JSON lines or Parquet hold any text)"
    )
