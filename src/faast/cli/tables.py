"""Numeric feature tables: csv and npz files of rows and their labels."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from faast._typing import AnyArray, FloatArray

FEATURE_NAMES = ("features", "X", "keys")


class FeatureTable(NamedTuple):
    """Rows of a file.

    Attributes
    ----------
    features : ndarray of shape (n, d)
    labels : ndarray of shape (n,), or None where the file has none
    """

    features: AnyArray
    labels: AnyArray | None


def read_labelled(path: Path, label_column: str) -> tuple[AnyArray, AnyArray]:
    """Read a table that must have labels.

    Raises
    ------
    ValueError
        No such column, or anything `read_table` refuses.
    """
    features, labels = read_table(path, label_column)
    if labels is None:
        raise ValueError(
            f"{path} has no column {label_column!r} to take labels from; name one with "
            "--label-column"
        )
    return features, labels


def read_table(path: Path, label_column: str) -> FeatureTable:
    """Read rows of numbers, with their labels where `label_column` is there.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        Neither .csv nor .npz, or a content that is no table of numbers (file and line are named).
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    readers = {".csv": _read_csv, ".npz": _read_npz}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path} is neither .csv nor .npz; convert it to one of them")
    return readers[path.suffix.lower()](path, label_column)


def _read_csv(path: Path, label_column: str) -> FeatureTable:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        header = next(reader, None)
        if not header:
            raise ValueError(f"{path} is empty; it needs a header line")
        label_at = header.index(label_column) if label_column in header else None
        features: list[FloatArray] = []
        labels: list[str] = []
        for row in reader:
            if len(row) != len(header):
                raise ValueError(
                    f"{path} line {reader.line_num}: {len(row)} fields, "
                    f"the header has {len(header)}"
                )
            if label_at is not None:
                labels.append(row.pop(label_at))
            try:
                features.append(np.array(row, dtype=np.float64))
            except ValueError as error:
                raise ValueError(f"{path} line {reader.line_num}: {error}") from None
    width = len(header) - (label_at is not None)
    table = np.array(features).reshape(len(features), width)
    return FeatureTable(table, None if label_at is None else _typed(labels))


def _typed(labels: list[str]) -> AnyArray:
    """Read labels as integers where all of them are, else keep their text."""
    try:
        numbers = np.array([int(label) for label in labels], dtype=np.int64)
    except (ValueError, OverflowError):
        return np.array(labels)
    return numbers if [str(n) for n in numbers.tolist()] == labels else np.array(labels)


def _read_npz(path: Path, label_column: str) -> FeatureTable:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise ValueError(f"{path} is no readable npz file of plain arrays: {error}") from None
    name = next((name for name in FEATURE_NAMES if name in arrays), None)
    if name is None:
        raise ValueError(
            f"{path} holds {sorted(arrays)}; rows are expected under one of {FEATURE_NAMES}"
        )
    labels = arrays.get(label_column, arrays.get("y") if label_column == "label" else None)
    return FeatureTable(arrays[name], labels)
