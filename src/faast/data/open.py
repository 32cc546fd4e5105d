"""Open rows by the name of a file, a folder or standard input."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from faast.data.columns import ROW_COLUMNS, resolve_label
from faast.data.delimited import CsvReader, TsvReader
from faast.data.frames import FrameReader, RecordsReader
from faast.data.huggingface import open_dataset, open_saved_dataset, refuse_split
from faast.data.image_folder import ImageFolderReader
from faast.data.jsonl import JsonLinesReader
from faast.data.lines import LinesReader
from faast.data.npz import NpzReader
from faast.data.parquet import ParquetReader
from faast.data.reader import DataError, Modality, Reader
from faast.data.source import OnError, RowSource
from faast.data.text_file import TextFile

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
"""Formats of files by their suffixes."""
_FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))

_TEXT_FORMATS: dict[str, Callable[[TextFile], Reader]] = {
    "csv": CsvReader,
    "tsv": TsvReader,
    "jsonl": JsonLinesReader,
    "lines": LinesReader,
}
_BINARY_FORMATS: dict[str, Callable[[Path], Reader]] = {
    "parquet": ParquetReader,
    "npz": NpzReader,
}

MANIFESTS = ("metadata.csv", "metadata.jsonl", "metadata.parquet", "manifest.csv")
"""Tables that name the images of a folder beside their numbers, as Hugging Face `datasets` does."""

_SAVED_DATASET = ("state.json", "dataset_dict.json")
"""Files that a folder holds to which a dataset was saved."""


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
    feature_names: Sequence[str] | None = None,
    target_columns: Sequence[str] = (),
    label_separator: str | None = None,
    marks: Sequence[str] = (),
) -> RowSource:
    """Open rows and labels for streaming.

    Parameters
    ----------
    source : path, "-", data frame, list of dict, or Hugging Face dataset
        A table; a folder with one sub-folder of images per class; a folder to which a dataset was
        saved; "-" for standard input; a DataFrame of pandas or polars; a list with one dictionary
        per row; or an object of `datasets`. The paths of images in a table are relative to the
        folder of the table.
    modality : {"text", "image", "features"}
        What a row is.
    row_column : str, optional
        Column that holds the rows. By default one with a usual name ("text", "path",
        "features"), or else the only column beside the label.
    label_column : str or None
        Column that holds the labels; "label" also finds "labels" and "y". None reads no labels.
    labelled : bool
        Whether to read labels. If False, a label column is ignored.
    format : {"csv", "tsv", "jsonl", "parquet", "npz", "lines"}, optional
        By default the suffix of the file decides, and standard input is "csv". Standard input
        without labels, from which no row column is named, is "lines" (each line is a row) unless
        its first line is a header.
    split : str, optional
        Split of a dataset that has several.
    encoding : str
        Encoding of text files.
    on_error : {"raise", "skip"}
        Whether a row that cannot be read raises an error or is left out.
    feature_names : sequence of str, optional
        The columns that a table with one feature in each column must hold, in the order in which
        rows are to hold them. By default all columns are features, in the order of the table.
        Columns that pandas or R wrote to number the rows are no features.
    target_columns : sequence of str
        Columns of numbers to predict, which are read in place of labels. The numbers of a folder of
        images stand in one of the tables `MANIFESTS` in that folder, beside the column "file_name".
    label_separator : str, optional
        What separates the labels of a row in its cell, such as ";". By default a cell is one label.
        Rows whose labels are lists, in JSON lines, Parquet and datasets, need no separator.
    marks : sequence of str
        Columns that each mark one label, their name, with 1 where a row has it and 0 elsewhere,
        instead of a label column.

    Returns
    -------
    RowSource

    Raises
    ------
    DataError
        If there is no such file, its format is unknown, or it is a folder of images and
        `modality` is not "image".

    Examples
    --------
    >>> source = open_rows("reviews.csv")  # doctest: +SKIP
    >>> for rows, labels, numbers in source:  # doctest: +SKIP
    ...     classifier.partial_fit(rows, labels)
    """
    if target_columns:
        source = _manifest_of(source)
    may_be_lines = modality == "text" and row_column is None and not (labelled and label_column)
    is_standard_input = isinstance(source, str) and source == "-"
    if is_standard_input and format is None and split is None and may_be_lines:
        reader = _open_lines_or_table(TextFile(None, encoding), label_column, target_columns)
    else:
        reader = open_reader(source, format=format, split=split, encoding=encoding)
    if reader.modality not in (None, modality):
        raise DataError(f"{source} is a folder of images, but the model takes {modality} rows")
    is_file = isinstance(source, str | os.PathLike) and Path(source).is_file()
    folder = Path(source).parent if is_file else None
    return RowSource(
        reader,
        modality,
        row_column,
        label_column,
        on_error,
        folder,
        labelled=labelled,
        feature_names=feature_names,
        target_columns=target_columns,
        label_separator=label_separator,
        marks=marks,
    )


def _manifest_of(source: Any) -> Any:
    """Return the table that holds the numbers of a folder of images; other sources as they are."""
    if not isinstance(source, str | os.PathLike) or not Path(source).is_dir():
        return source
    folder = Path(source)
    if holds_saved_dataset(folder):
        return source
    for name in MANIFESTS:
        if (folder / name).is_file():
            return folder / name
    raise DataError(
        f"{folder} holds no numbers; name its images (column file_name) and their numbers in "
        f"{folder / MANIFESTS[0]}"
    )


def holds_saved_dataset(folder: Path) -> bool:
    """Return whether a Hugging Face dataset was saved to a folder."""
    return any((folder / name).is_file() for name in _SAVED_DATASET)


def open_reader(
    source: Any,
    *,
    format: str | None = None,
    split: str | None = None,
    encoding: str = "utf-8",
) -> Reader:
    """Open the records of a source, of which `open_rows` makes rows and labels.

    Parameters
    ----------
    source, format, split, encoding
        See `open_rows`.

    Raises
    ------
    DataError
        If there is no such file, or its format is unknown.
    """
    if not isinstance(source, str | os.PathLike):
        return _open_object(source, split)
    if source == "":
        raise DataError("no data is named; name a file, a folder, or - for standard input")
    path = None if source == "-" else Path(source)
    if path is not None and holds_saved_dataset(path):
        return open_saved_dataset(path, split)
    refuse_split(split, str(source))
    if path is None:
        return _open_file(None, format or "csv", encoding)
    if path.is_dir():
        return ImageFolderReader(path)
    if path.exists() and not path.is_file():
        raise DataError(
            f"{path} is not a file but a pipe or a device, which cannot be read twice; pipe it "
            "into standard input and name - instead"
        )
    return _open_file(path, format or _format_of(path), encoding)


def _open_object(source: Any, split: str | None) -> Reader:
    if isinstance(source, list | tuple):
        reader: Reader = RecordsReader(source)
    elif hasattr(source, "columns"):
        reader = FrameReader(source)
    else:
        return open_dataset(source, split, "dataset")
    refuse_split(split, reader.name)
    return reader


def _open_lines_or_table(
    file: TextFile, label_column: str | None, target_columns: Sequence[str]
) -> Reader:
    """Read CSV if the first line is a header, and otherwise every line as a text.

    A header names a usual column of texts, or a column of labels or targets and another one.
    """
    names = [name.strip('"') for name in file.first_line().strip().split(",")]
    answers = [resolve_label(names, label_column), *target_columns]
    has_text_column = any(name in names for name in ROW_COLUMNS["text"])
    is_header = has_text_column or (len(names) > 1 and any(name in names for name in answers))
    return _TEXT_FORMATS["csv" if is_header else "lines"](file)


def _format_of(path: Path) -> str:
    if not path.is_file():
        raise DataError(f"there is no file {path}")
    found = SUFFIXES.get(path.suffix.lower())
    if path.suffix.lower() == ".gz":
        raise DataError(f"{path} is compressed; unpack it first (gunzip)")
    if found is None:
        raise DataError(
            f"{path} has none of the suffixes {', '.join(SUFFIXES)}; rename it, or say what it is "
            f"with format (--format), one of {', '.join(_FORMATS)}"
        )
    return found


def _open_file(path: Path | None, format: str, encoding: str) -> Reader:
    if format in _TEXT_FORMATS:
        return _TEXT_FORMATS[format](TextFile(path, encoding))
    if format not in _BINARY_FORMATS:
        raise DataError(f"unknown format {format!r}; the formats are {', '.join(_FORMATS)}")
    if path is None:
        raise DataError(f"{format} cannot be read from standard input; write it to a file first")
    return _BINARY_FORMATS[format](path)
