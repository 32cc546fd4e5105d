"""Tables of rows: CSV and JSON lines, as they are uploaded and exported.

Spreadsheets in much of Europe write CSV with semicolons, and some programs with tabs. The header
tells which: the separator that finds known names of columns in it.

A spreadsheet runs a cell that begins with =, +, - or @ as a formula, so such a text is exported to
CSV behind an apostrophe, which spreadsheets take for the mark of a text, and read without it. JSON
lines hold every text as it is.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from faast.data import DataError
from faast.data.columns import LABEL_COLUMNS, ROW_COLUMNS, match_features, resolve_label
from faast.data.delimited import CsvReader
from faast.data.jsonl import parse_object
from faast.data.reader import Reader, Record
from faast.data.text_file import TextFile
from faast.serve.tasks.records import NewRow, RawRow

Fields = Mapping[str, Any]
"""What a row holds, by column."""

NAME = "the file"
"""What messages call an upload: its name on this disk means nothing to whoever sent it."""

ABOUT = ("label", "source", "confirmed")
"""Columns about a row, beside those of the row itself."""

NAMES = "names of numbers"
"""Member of the fields of a row of CSV: names of its columns of numbers, where it has these."""

KNOWN = frozenset(
    ("text", "picture", "numbers", "id", *ROW_COLUMNS["text"], *LABEL_COLUMNS, *ABOUT)
)
"""Names of columns that a header of CSV is recognised by."""


class _Semicolons(CsvReader):
    delimiter = ";"


class _Tabs(CsvReader):
    delimiter = "\t"


READERS = (CsvReader, _Semicolons, _Tabs)
"""By the separator; the first is taken where several find as many columns."""

_FORMULA = re.compile(r"'*[=+\-@\t\r\uff0b\uff0d\uff1d\uff20]")
_MARKED = re.compile(r"'+[=+\-@\t\r\uff0b\uff0d\uff1d\uff20]")


def csv_rows(
    path: Path, column: str, learned: Sequence[str] | None = None
) -> Iterator[tuple[str, Fields]]:
    """Yield the rows of a CSV file, each with its place.

    Parameters
    ----------
    path : Path
    column : {"text", "picture", "numbers"}
        What a row holds. Numbers may also stand in a column each.
    learned : sequence of str, optional
        Names of the columns of numbers that the task has, in the order of its rows.

    Raises
    ------
    DataError
        If the file cannot be read, no column has a known name, it is not clear which column
        holds the rows, or the columns of numbers are others than were learned.
    """
    file = TextFile(path)
    file.name = NAME
    reader = _recognise(file, column, learned or ())
    chosen: dict[str, str] = {}
    several: list[str] = []

    def choose(present: Sequence[str]) -> list[str]:
        found, numbers = _choose(reader, present, column, learned)
        chosen.update(found)
        several.extend(numbers)
        return [*found.values(), *numbers]

    for record in reader.records(choose):
        place = f"{NAME}, line {record.number}"
        if not isinstance(record, Record):
            raise DataError(f"{place}: {record.reason}")
        cells = record.fields
        fields = {name: _cell(name, cells[of]) for name, of in chosen.items()}
        if several:
            fields["numbers"] = [_number(cells[name], place, name) for name in several]
            fields[NAMES] = several
        yield place, fields


def json_rows(path: Path, column: str) -> Iterator[tuple[str, Fields]]:
    """Yield the rows of a file of JSON lines; see `csv_rows`."""
    file = TextFile(path)
    file.name = NAME
    for number, line in enumerate(file.lines(), start=1):
        place = f"{NAME}, line {number}"
        if not line.strip():
            continue
        try:
            fields = parse_object(line)
        except ValueError as error:
            raise DataError(f"{place}: {error}") from error
        if column not in fields:
            raise DataError(f'{place}: not an object such as {{"{column}": ..., "label": ...}}')
        yield place, fields


def write_csv(
    rows: Iterable[NewRow], column: str, learned: Sequence[str] | None = None
) -> Iterator[str]:
    """Yield the lines of a CSV file, each with its end, that `csv_rows` reads as these rows."""
    header: list[str] | None = None
    in_columns = column == "numbers" and _can_head(learned or ())
    for row in rows:
        if header is None:
            numbered = [f"x{i + 1}" for i in range(len(row.raw))]
            names = list(learned or numbered) if in_columns else [column]
            header = [*names, *ABOUT]
            yield _line(header)
        if isinstance(row.raw, list):
            raw = row.raw if in_columns else [json.dumps(row.raw)]
        else:
            raw = [_mark(_readable(row.raw))]
        confirmed = "true" if row.confirmed else "false"
        yield _line([*raw, _mark(row.label or ""), _mark(row.source or ""), confirmed])
    if header is None:
        yield _line([column, *ABOUT])


def write_json(rows: Iterable[NewRow], column: str) -> Iterator[str]:
    """Yield JSON lines that `json_rows` reads as these rows."""
    for row in rows:
        about = {name: getattr(row, name) for name in ABOUT}
        yield json.dumps({column: _readable(row.raw), **about}, ensure_ascii=False) + "\n"


def _recognise(file: TextFile, column: str, learned: Sequence[str]) -> CsvReader:
    """Return the reader whose separator finds the most known names in the header."""
    header = file.first_line()
    if not header.strip():
        return CsvReader(file)  # it says what is wrong with the first line
    names = KNOWN.union(learned)
    known = [len(names.intersection(_names(header, reader.delimiter))) for reader in READERS]
    if not any(known):
        raise DataError(
            f"{NAME} begins with {header.strip()[:80]!r}, which names no known column; the first "
            f"line must name the columns, such as {column},label (separated by commas, semicolons "
            "or tabs)"
        )
    return READERS[known.index(max(known))](file)


def _names(header: str, delimiter: str) -> list[str]:
    cells = next(csv.reader([header], delimiter=delimiter), [])
    return [cell.strip() for cell in cells]


def _choose(
    reader: Reader, present: Sequence[str], column: str, learned: Sequence[str] | None
) -> tuple[dict[str, str], list[str]]:
    """Return which columns hold what, and those of single numbers."""
    named = set() if column in present else set(learned or ())
    label = resolve_label(present, "label")
    chosen = {
        name: of
        for name, of in {"label": label, "source": "source", "confirmed": "confirmed"}.items()
        if of in present and of is not None and of not in named
    }
    aside = {*chosen.values(), *reader.index_columns(present), "id"} - named
    others = [name for name in present if name not in aside]
    usual = [column, *(ROW_COLUMNS["text"] if column == "text" else ())]
    found = [name for name in usual if name in others]
    if found:
        return chosen | {column: found[0]}, []
    if column == "numbers" and others:
        return chosen, match_features(others, learned, NAME)
    if column == "text" and len(others) == 1:
        return chosen | {column: others[0]}, []
    raise DataError(
        f"{NAME} has the columns {', '.join(present)}; name the one that holds the rows {column!r}"
    )


def _cell(name: str, cell: str) -> Any:
    """Return what a cell stands for."""
    if name == "confirmed":
        return cell.strip() or None
    if name == "numbers":
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    if name in ABOUT and not cell.strip():
        return None
    return cell[1:] if _MARKED.match(cell) else cell


def _number(cell: str, place: str, name: str) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise DataError(f"{place}, column {name!r}: it is no number") from error


def _mark(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def _can_head(names: Iterable[str]) -> bool:
    """Return whether names of columns of numbers can stand in a header beside the others."""
    return not any(
        name in ABOUT or name == "numbers" or name != name.strip() or _FORMULA.match(name)
        for name in names
    )


def _readable(raw: RawRow) -> Any:
    """Return a picture as base64, and everything else as it is."""
    return base64.b64encode(raw).decode() if isinstance(raw, bytes) else raw


def _line(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
