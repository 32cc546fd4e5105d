"""Texts without labels on standard input: lines, or a table that says so in its first line.

Rows by path: the format follows from the name.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from faast.data.columns import USUAL, resolve_label
from faast.data.delimited import DelimitedReader
from faast.data.huggingface import dataset_reader, refuse_split, saved_dataset
from faast.data.image_folder import ImageFolderReader
from faast.data.jsonl import JsonLinesReader
from faast.data.lines import PlainLinesReader
from faast.data.npz import ArchiveReader
from faast.data.parquet import ParquetReader
from faast.data.reader import DataError, Modality, Reader
from faast.data.source import OnError, RowSource
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


SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".npz": "npz",
    ".txt": "lines",
}
FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))

_SAVED_DATASET = ("state.json", "dataset_dict.json")


def open_rows(
    source: Any,
    *,
    modality: Modality = "text",
    row_column: str | None = None,
    label_column: str | None = "label",
    labelled: bool = True,
    format: str | None = None,
    split: str | None = None,
    encoding: str = "utf-8",
    on_error: OnError = "raise",
) -> RowSource:
    """Open rows for streaming.

    Parameters
    ----------
    source : path, "-" or Hugging Face dataset
        A file; a folder of images (class per sub-folder); a folder that a dataset was saved to;
        "-" for standard input; or a `datasets` object. For images, a table is a manifest: its
        paths are relative to its own folder.
    modality : {"text", "image", "features"}
        What a row is: an encoder's `modality`.
    row_column : str, optional
        Column of the rows; a usual one ("text", "path", "features"), or the only one beside the
        label.
    label_column : str or None
        Column of the labels; None where there are none to read.
    labelled : bool
        False leaves the label column aside, where there is one.
    format : {"csv", "tsv", "jsonl", "parquet", "npz", "lines"}, optional
        By the suffix; for standard input "csv". Texts without labels, no column of which is named,
        are "lines" there (each line a row) unless the first line is a header: see `lines_or_table`.
    split : str, optional
        Which part of a dictionary of datasets.
    encoding : str
        Of text files.
    on_error : {"raise", "skip"}
        What to do about a row that cannot be read.

    Returns
    -------
    RowSource

    Raises
    ------
    DataError
        No such file, of a format that is not known, or images where none are expected.

    Examples
    --------
    >>> source = open_rows("reviews.csv")  # doctest: +SKIP
    >>> for rows, labels, numbers in source:  # doctest: +SKIP
    ...     classifier.add(rows, labels)
    """
    asked = modality == "text" and row_column is None and not (labelled and label_column)
    if source == "-" and format is None and split is None and asked:
        reader = lines_or_table(TextFile(None, encoding), label_column)
    else:
        reader = open_reader(source, format=format, split=split, encoding=encoding)
    if isinstance(reader, ImageFolderReader) and modality != "image":
        raise DataError(f"{source} is a folder of images, but the model takes {modality} rows")
    in_folder = isinstance(source, str | os.PathLike) and Path(source).is_file()
    folder = Path(source).parent if in_folder else None
    return RowSource(
        reader, modality, row_column, label_column, on_error, folder, labelled=labelled
    )


def open_reader(
    source: Any,
    *,
    format: str | None = None,
    split: str | None = None,
    encoding: str = "utf-8",
) -> Reader:
    """Open records; see `open_rows`, which makes rows of them."""
    if not isinstance(source, str | os.PathLike):
        return dataset_reader(source, split, "dataset")
    if source == "":
        raise DataError("no data is named; name a file, a folder, or - for standard input")
    path = None if source == "-" else Path(source)
    if path is not None and any((path / name).is_file() for name in _SAVED_DATASET):
        return saved_dataset(path, split)
    refuse_split(split, str(source))
    if path is None:
        return _file_reader(None, format or "csv", encoding)
    if path.is_dir():
        return ImageFolderReader(path)
    if path.exists() and not path.is_file():
        raise DataError(
            f"{path} is no file but a pipe or a device, which cannot be read twice; pipe it into "
            "standard input and name - instead"
        )
    return _file_reader(path, format or _format_of(path), encoding)


def _format_of(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    found = SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise DataError(
            f"{path} has none of the suffixes {', '.join(SUFFIXES)}; rename it, or say what it is "
            f"with format (--format), one of {', '.join(FORMATS)}"
        )
    return found


def _file_reader(path: Path | None, format: str, encoding: str) -> Reader:
    text = TextFile(path, encoding)
    if format == "csv":
        return DelimitedReader(text, ",")
    if format == "tsv":
        return DelimitedReader(text, "\t")
    if format == "jsonl":
        return JsonLinesReader(text)
    if format == "lines":
        return PlainLinesReader(text)
    if format not in FORMATS:
        raise DataError(f"unknown format {format!r}; there are {', '.join(FORMATS)}")
    if path is None:
        raise DataError(f"{format} cannot be read from standard input; write it to a file first")
    return ParquetReader(path) if format == "parquet" else ArchiveReader(path)
