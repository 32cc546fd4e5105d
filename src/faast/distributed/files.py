"""Several files of rows as one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from faast.data import Batch, RowSource, open_rows
from faast.encoders.base import Modality

PathLike = str | os.PathLike[str]


class Files:
    """Batches of one file after the other; each file begins a batch of its own.

    Parameters
    ----------
    paths : sequence of paths
    modality, row_column, label_column
        See `open_rows`.
    """

    def __init__(
        self,
        paths: Sequence[PathLike],
        modality: Modality,
        row_column: str | None,
        label_column: str,
    ) -> None:
        self.paths = paths
        self._sources: list[RowSource] = [
            open_rows(path, modality=modality, row_column=row_column, label_column=label_column)
            for path in paths
        ]

    @property
    def fraction(self) -> float:
        """How much has been read, 0 to 1, files counted alike."""
        return sum(source.fraction or 0.0 for source in self._sources) / len(self._sources)

    def __iter__(self) -> Iterator[Batch]:
        for source in self._sources:
            yield from source


def listed_paths(paths: PathLike | Sequence[PathLike]) -> Sequence[PathLike]:
    """Return one path, or several, as several."""
    return [paths] if isinstance(paths, str | os.PathLike) else list(paths)


def describe_file(path: PathLike) -> list[Any]:
    """Return JSON values that change when a file does: its place, size and time."""
    found = Path(path).stat()
    return [str(Path(path).resolve()), found.st_size, found.st_mtime_ns]
