"""What the rows of a file evidently are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from faast.data.columns import USUAL, resolve_label
from faast.data.folders import PictureFolderReader
from faast.data.records import Reader, Record
from faast.encoders.base import Modality
from faast.encoders.pictures import SUFFIXES, is_file


def guess_modality(
    reader: Reader, row_column: str | None = None, label_column: str | None = "label"
) -> Modality:
    """Tell texts, pictures and features apart by the columns and the first readable record.

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
    if isinstance(reader, PictureFolderReader):
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
            # Words that end on the name of a picture are text.
            is_path = len(value.split()) == 1 or is_file(folder / value)
            return "image" if is_path else "text"
        try:
            float(value)
        except ValueError:
            return "text"
        return "features"
    return "image" if isinstance(value, bytes | Mapping) else "features"
