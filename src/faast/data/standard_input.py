"""Texts without labels on standard input: lines, or a table that says so in its first line."""

from __future__ import annotations

from faast.data.columns import USUAL, resolve_label
from faast.data.delimited import DelimitedReader
from faast.data.plain_lines import PlainLinesReader
from faast.data.records import Reader
from faast.data.text_file import TextFile


def lines_or_table(file: TextFile, label_column: str | None) -> Reader:
    """Read CSV where the first line names a usual column of texts, or the labels beside another.

    Parameters
    ----------
    file : TextFile
    label_column : str or None
        As `choose_columns` takes it.

    Returns
    -------
    DelimitedReader or PlainLinesReader
    """
    names = [name.strip('"') for name in file.first_line().strip().split(",")]
    label = resolve_label(names, label_column)
    is_header = any(name in names for name in USUAL["text"]) or (len(names) > 1 and label in names)
    return DelimitedReader(file, ",") if is_header else PlainLinesReader(file)
