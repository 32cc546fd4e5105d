"""Which columns hold the rows and the labels.

What the rows of a file evidently are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from faast.data.cells import check_text
from faast.data.image_folder import ImageFolderReader
from faast.data.images import SUFFIXES, is_file
from faast.data.reader import DataError, Modality, Reader, Record

USUAL: dict[Modality, tuple[str, ...]] = {
    "text": ("text", "sentence"),
    "image": ("path", "image", "file_name"),
    "features": ("features", "X", "keys"),
}
"""Columns that hold rows where none is named."""

LABELS = ("label", "labels", "y")
"""The first of these also stands for the others."""


@dataclass(frozen=True)
class Columns:
    """Chosen columns.

    Attributes
    ----------
    row : str or None
        None: all columns but the label are numbers of one feature row.
    label : str or None
    wanted : list of str
        All columns to read.
    """

    row: str | None
    label: str | None
    wanted: list[str]


def choose_columns(
    present: Sequence[str],
    modality: Modality,
    row_column: str | None,
    label_column: str | None,
    name: str,
    labelled: bool = True,
) -> Columns:
    """Choose among the columns of a file.

    A row column that is not named is a usual one, or the only one beside the label. A table of
    features may also spread its rows over all columns beside the label. Unless `labelled`, the
    label column is left aside, and need not be there.

    Raises
    ------
    DataError
        A named column is missing, or holds the labels too, or none is evidently the row column.
    """
    label_column = resolve_label(present, label_column)
    if not labelled:
        present = [name for name in present if name == row_column or name != label_column]
        label_column = None
    if row_column is not None and row_column == label_column:
        raise DataError(
            f"{name}: column {row_column!r} cannot hold both the rows and their labels; name "
            "another with row_column (--text-column) or label_column (--label-column)"
        )
    for column in (row_column, label_column):
        if column is not None and column not in present:
            raise DataError(
                f"{name} has no column {column!r}; its columns are {', '.join(present)} (the first "
                "line of a table must name them); name others with row_column (--text-column) and "
                "label_column (--label-column)"
            )
    others = [column for column in present if column != label_column]
    usual = [column for column in USUAL[modality] if column in others]
    if row_column is None and usual:
        row_column = usual[0]
    elif row_column is None and modality == "features":
        return Columns(None, label_column, list(present))
    elif row_column is None and len(others) == 1:
        row_column = others[0]
    if row_column is None:
        raise DataError(
            f"{name} has the columns {', '.join(present)}; say which one holds the rows "
            "with row_column (--text-column)"
        )
    labels = [] if label_column is None else [label_column]
    return Columns(row_column, label_column, [row_column, *labels])


def check_names(names: Sequence[str], place: str) -> None:
    """Check the names of columns that a file brings.

    Raises
    ------
    DataError
        One is there twice, or does not decode.
    """
    for name in names:
        if list(names).count(name) > 1:
            raise DataError(f"{place}: column {name!r} is there twice; rename one")
        try:
            check_text(name, "the name of a column")
        except ValueError as error:
            raise DataError(f"{place}: {error}") from error


def resolve_label(present: Sequence[str], label_column: str | None) -> str | None:
    """Return the label column: for the usual name, whichever usual one is there."""
    if label_column != LABELS[0]:
        return label_column
    return next((column for column in LABELS if column in present), label_column)


def guess_modality(
    reader: Reader, row_column: str | None = None, label_column: str | None = "label"
) -> Modality:
    """Tell texts, images and features apart by the columns and the first readable record.

    Parameters
    ----------
    reader : Reader
        One that can be read again.
    row_column, label_column : str, optional

    Raises
    ------
    DataError
        Nothing to read.
    """
    if isinstance(reader, ImageFolderReader):
        return "image"
    present: list[str] = []

    def choose(columns: Sequence[str]) -> list[str]:
        present.extend(columns)
        return list(columns)

    first = next((r for r in reader.records(choose) if isinstance(r, Record)), None)
    others = [column for column in present if column != resolve_label(present, label_column)]
    for modality, usual in USUAL.items():
        if row_column is None and set(usual) & set(others):
            return modality
    if first is None:
        return "text" if row_column or len(others) == 1 else "features"
    folder = Path(reader.name).parent
    if row_column is not None:
        value = first.fields.get(row_column)
        kind = _kind(value, folder)
        # A row of features has several numbers: one, however it is written, is no such row.
        several = isinstance(value, list | np.ndarray)
        return "text" if kind == "features" and not several else kind
    kinds = {_kind(first.fields[column], folder) for column in others}
    return kinds.pop() if len(others) == 1 or kinds == {"features"} else "text"


def _kind(value: Any, folder: Path) -> Modality:
    if isinstance(value, str):
        if Path(value).suffix.lower() in SUFFIXES:
            # Words that end on the name of an image are text.
            is_path = len(value.split()) == 1 or is_file(folder / value)
            return "image" if is_path else "text"
        try:
            float(value)
        except ValueError:
            return "text"
        return "features"
    return "image" if isinstance(value, bytes | Mapping) else "features"
