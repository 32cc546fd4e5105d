"""Which columns hold the rows and the labels or numbers, and what kind of rows they are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from faast.data.cells import check_text, is_missing
from faast.data.images import SUFFIXES, is_file
from faast.data.reader import WINDOW_ROWS, DataError, Modality, Reader, Record

ROW_COLUMNS: dict[Modality, tuple[str, ...]] = {
    "text": ("text", "sentence"),
    "image": ("path", "image", "file_name"),
    "features": ("features", "X", "keys"),
}
"""The usual names of a column of rows. The first that is present is used if none is named."""

LABEL_COLUMNS = ("label", "labels", "y")
"""The usual names of a label column. The first one also stands for the others."""


@dataclass(frozen=True)
class Columns:
    """The columns to read.

    Attributes
    ----------
    row : str or None
        The column of the rows. None if each of several columns holds one feature.
    answers : list of str
        The column of the labels, or the columns of the numbers to predict; empty if none are read.
    features : list of str
        The columns of single features, in the order in which rows hold them; empty if one column
        holds the rows.
    """

    row: str | None
    answers: list[str]
    features: list[str]

    @property
    def wanted(self) -> list[str]:
        """All columns to read."""
        rows = self.features if self.row is None else [self.row]
        return [*rows, *self.answers]


def choose_columns(
    present: Sequence[str],
    modality: Modality,
    row_column: str | None,
    label_column: str | None,
    name: str,
    labelled: bool = True,
    index_columns: Collection[str] = (),
    feature_names: Sequence[str] | None = None,
    target_columns: Sequence[str] = (),
) -> Columns:
    """Choose the columns to read.

    If no row column is named, it is one with a usual name, or the only one beside the label or the
    targets. In a table of features, each column beside these may also hold one feature. Index
    columns are read only if they are named.

    Parameters
    ----------
    present : sequence of str
        All columns of the file.
    modality : {"text", "image", "features"}
    row_column, label_column : str or None
        The names that the user gave.
    name : str
        What error messages call the file.
    labelled : bool
        If False, labels are not read and need not be present; a label column is never taken for
        rows.
    index_columns : collection of str
        Columns that number the rows.
    feature_names : sequence of str, optional
        The columns of features that a table must hold, in the order in which rows hold them.
    target_columns : sequence of str
        Columns of numbers to predict, or columns that mark one label each with 0 and 1; they take
        the place of the label column.

    Raises
    ------
    DataError
        If a named column is missing, the columns of features are others than `feature_names`, one
        column is named twice, or it is not clear which column holds the rows.
    """
    answers, option = list(target_columns), "target_columns (--target, --label-columns)"
    if not answers:
        label_column = resolve_label(present, label_column)
        answers = [] if label_column is None else [label_column]
        option = "label_column (--label-column)"
    named = [*answers] if row_column is None else [row_column, *answers]
    present = [name for name in present if name in named or name not in index_columns]
    if not labelled:
        present = [name for name in present if name == row_column or name not in answers]
        named, answers = [column for column in named if column not in answers], []
    for column in named:
        if named.count(column) > 1:
            raise DataError(
                f"{name}: column {column!r} cannot hold both things that it is named for; name "
                f"another with row_column (--text-column) or {option}"
            )
        if column not in present:
            raise DataError(
                f"{name} has no column {column!r}; its columns are {', '.join(present)} (the first "
                "line of a table must name them); name others with row_column (--text-column) and "
                f"{option}"
            )
    others = [column for column in present if column not in answers]
    usual = [column for column in ROW_COLUMNS[modality] if column in others]
    if row_column is None and usual:
        row_column = usual[0]
    elif row_column is None and modality == "features":
        return Columns(None, answers, match_features(others, feature_names, name))
    elif row_column is None and len(others) == 1:
        row_column = others[0]
    if row_column is None:
        raise DataError(
            f"{name} has the columns {', '.join(present)}; say which one holds the rows "
            "with row_column (--text-column)"
        )
    return Columns(row_column, answers, [])


def match_features(present: list[str], wanted: Sequence[str] | None, name: str) -> list[str]:
    """Return the columns of features in the wanted order.

    Parameters
    ----------
    present : list of str
    wanted : sequence of str or None
        None if the order is free.
    name : str
        What error messages call the file.

    Raises
    ------
    DataError
        If there are none, or others than are wanted.
    """
    if not present:
        raise DataError(f"{name} has no columns of features")
    if wanted is None:
        return present
    missing = [column for column in wanted if column not in present]
    unknown = [column for column in present if column not in wanted]
    if missing or unknown:
        differences = [
            f"{what} {', '.join(map(repr, columns[:5]))}{' ...' if columns[5:] else ''}"
            for what, columns in (("it lacks", missing), ("it also holds", unknown))
            if columns
        ]
        raise DataError(
            f"{name} has other columns of features than the rows that were learned: "
            f"{' and '.join(differences)}; rename, add or remove columns (their order is free)"
        )
    return list(wanted)


def check_names(names: Sequence[str], where: str) -> None:
    """Check the names of the columns of a file.

    Parameters
    ----------
    names : sequence of str
    where : str
        The file, and the line, that the error message names.

    Raises
    ------
    DataError
        If two columns have the same name, or a name could not be decoded.
    """
    for name in names:
        if list(names).count(name) > 1:
            raise DataError(f"{where}: column {name!r} is there twice; rename one")
        try:
            check_text(name, "the name of a column")
        except ValueError as error:
            raise DataError(f"{where}: {error}") from error


def resolve_label(present: Sequence[str], label_column: str | None) -> str | None:
    """Return the label column; "label" means the first usual name that is present."""
    if label_column != LABEL_COLUMNS[0]:
        return label_column
    return next((column for column in LABEL_COLUMNS if column in present), label_column)


def guess_modality(
    reader: Reader,
    row_column: str | None = None,
    label_column: str | None = "label",
    target_columns: Sequence[str] = (),
) -> Modality:
    """Guess what rows are from the names of the columns and from the first cells that they hold.

    Empty cells are passed over, for as many rows as a batch holds.

    Parameters
    ----------
    reader : Reader
        A reader of a source that can be read again.
    row_column, label_column, target_columns
        See `open_rows`.

    Returns
    -------
    {"text", "image", "features"}

    Raises
    ------
    DataError
        If the source cannot be read.
    """
    if reader.modality is not None:
        return reader.modality
    others: list[str] = []

    def choose(present: Sequence[str]) -> list[str]:
        answers = target_columns or [resolve_label(present, label_column) or ""]
        aside = reader.index_columns(present) - {row_column} | set(answers)
        others.extend(column for column in present if column not in aside)
        return list(present)

    cells: dict[str, Any] = {}
    for record in islice(reader.records(choose), WINDOW_ROWS):
        if isinstance(record, Record):
            sought = others if row_column is None else [row_column]
            found = {column: record.fields.get(column) for column in sought}
            cells = {column: cell for column, cell in found.items() if not is_missing(cell)} | cells
            if len(cells) == len(sought):
                break
    folder = Path(reader.name).parent
    if row_column is not None:
        value = cells.get(row_column)
        kind = _guess_value(value, folder)
        # A row of features is a list of numbers: a column of single numbers holds texts.
        is_list = isinstance(value, list | np.ndarray)
        return "text" if kind == "features" and not is_list else kind
    for modality, usual in ROW_COLUMNS.items():
        if set(usual) & set(others):
            return modality
    if not cells:
        return "text" if len(others) == 1 else "features"
    kinds = {_guess_value(cell, folder) for cell in cells.values()}
    return kinds.pop() if len(others) == 1 or kinds == {"features"} else "text"


def _guess_value(value: Any, folder: Path) -> Modality:
    if isinstance(value, str):
        if Path(value).suffix.lower() in SUFFIXES:
            # A sentence may end with the name of an image: it is a path only if there is a file.
            is_path = len(value.split()) == 1 or is_file(folder / value)
            return "image" if is_path else "text"
        try:
            float(value)
        except ValueError:
            return "text"
        return "features"
    return "image" if isinstance(value, bytes | Mapping) else "features"
