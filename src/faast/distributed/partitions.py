"""Several files of rows as one.

Rows cut into parts, by their place in the data alone.

Windows of `WINDOW_ROWS` rows are encoded together, and a part is a number of whole windows: which
rows share a window depends on neither the number of workers nor on who gets which part.

Parts of a Ray dataset: references to its blocks, read where they are learned.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from faast._utils.imports import import_optional
from faast.data import Batch, RowSource, open_rows
from faast.data.reader import WINDOW_ROWS, Choose, Modality, Reader, Record

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


PART_ROWS = 16 * WINDOW_ROWS
"""Large enough that encoding takes much longer than merging what it has left."""


@dataclass(frozen=True)
class Part:
    """Neighbouring windows.

    Attributes
    ----------
    index : int
        Its place among the parts, from 0.
    batches : iterable of Batch
        Its windows; they may be read where the part is learned.
    """

    index: int
    batches: Iterable[Batch]


def windows_in(part_rows: int) -> int:
    """Return the number of windows of a part.

    Raises
    ------
    ValueError
        Parts would not consist of whole windows.
    """
    if part_rows < 1 or part_rows % WINDOW_ROWS:
        raise ValueError(
            f"part_rows must be a multiple of {WINDOW_ROWS}, the rows that are encoded together, "
            f"got {part_rows}"
        )
    return part_rows // WINDOW_ROWS


def cut(batches: Iterable[Batch], part_rows: int) -> Iterator[Part]:
    """Cut windows that are read here into parts."""
    windows, n_windows = iter(batches), windows_in(part_rows)
    index = 0
    while part := list(islice(windows, n_windows)):
        yield Part(index, [_absolute(batch) for batch in part])
        index += 1


def _absolute(batch: Batch) -> Batch:
    """Name files in full: workers may be at home in another folder."""
    rows = [row.resolve() if isinstance(row, Path) else row for row in batch.rows]
    return batch._replace(rows=rows)


class TableReader(Reader):
    """Rows of an Arrow table.

    Parameters
    ----------
    table : pyarrow.Table
    first : int
        Number of its first row.
    """

    def __init__(self, table: Any, first: int = 0) -> None:
        super().__init__("dataset")
        self.table, self.first = table, first

    def records(self, choose: Choose) -> Iterator[Record]:
        """See `faast.data.reader.Reader.records`."""
        wanted = list(choose(self.table.column_names))
        rows = self.table.select(wanted).to_pylist()
        yield from (Record(number, fields) for number, fields in enumerate(rows, self.first))


@dataclass(frozen=True)
class Slice:
    """Rows of one block: from `start` up to `stop`."""

    block: Any
    start: int
    stop: int


@dataclass(frozen=True)
class Slices:
    """Windows of a part whose rows lie in the blocks of a dataset.

    Attributes
    ----------
    slices : tuple of Slice
    first : int
        Number of the first row.
    modality, row_column, label_column
        See `RowSource`.
    """

    slices: tuple[Slice, ...]
    first: int
    modality: Modality
    row_column: str | None
    label_column: str | None

    def __iter__(self) -> Iterator[Batch]:
        arrow = import_optional("pyarrow", "ray")
        tables = [
            as_table(import_optional("ray", "ray").get(piece.block)).slice(
                piece.start, piece.stop - piece.start
            )
            for piece in self.slices
        ]
        reader = TableReader(arrow.concat_tables(tables), self.first)
        return iter(RowSource(reader, self.modality, self.row_column, self.label_column))


def cut_dataset(
    dataset: Any, part_rows: int, modality: Modality, row_column: str | None, label_column: str
) -> Iterator[Part]:
    """Cut a Ray dataset into parts; no row comes to the process that calls."""
    n_rows = windows_in(part_rows) * WINDOW_ROWS
    waiting: list[Slice] = []
    held = index = 0

    def part() -> Part:
        slices = Slices(tuple(waiting), index * n_rows, modality, row_column, label_column)
        return Part(index, slices)

    for block, size in _blocks(dataset):
        start = 0
        while held + size - start >= n_rows:
            stop = start + n_rows - held
            waiting.append(Slice(block, start, stop))
            yield part()
            waiting, held, start, index = [], 0, stop, index + 1
        if start < size:
            waiting.append(Slice(block, start, size))
            held += size - start
    if waiting:
        yield part()


def as_table(block: Any) -> Any:
    """Return a block of a dataset as an Arrow table."""
    return import_optional("ray.data.block", "ray").BlockAccessor.for_block(block).to_arrow()


def _blocks(dataset: Any) -> Iterator[tuple[Any, int]]:
    """Yield references to the blocks in their order, and their rows."""
    with _in_order(dataset):
        for bundle in dataset.iter_internal_ref_bundles():
            for entry in bundle.blocks:
                yield entry.ref, entry.metadata.num_rows


@contextmanager
def _in_order(dataset: Any) -> Iterator[None]:
    """Let blocks arrive in the order of the dataset, not in that of their completion."""
    options = dataset.context.execution_options
    before, options.preserve_order = options.preserve_order, True
    try:
        yield
    finally:
        options.preserve_order = before
