"""Rows of a Ray dataset, which workers read from its blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from faast._utils.imports import import_optional
from faast.data import Batch, RowSource
from faast.data.reader import WINDOW_ROWS, Choose, Modality, Reader, Record
from faast.distributed.partitions import Partition, count_windows


@dataclass(frozen=True)
class DatasetRows:
    """Rows of a Ray dataset; the calling process reads none of them.

    Attributes
    ----------
    dataset : ray.data.Dataset
    modality, row_column, label_column
        See `RowSource`.
    """

    dataset: Any
    modality: Modality
    row_column: str | None
    label_column: str | None

    fraction = None

    def describe(self) -> list[Any]:
        """Return the columns and files of the dataset, and how its rows are read."""
        return [
            self.dataset.columns(),
            self.dataset.input_files(),
            self.modality,
            self.row_column,
            self.label_column,
        ]

    def split(self, partition_rows: int) -> Iterator[Partition]:
        """Split the rows into partitions, in the order of the blocks.

        Raises
        ------
        ValueError
            At once, if `partition_rows` is not a multiple of `WINDOW_ROWS`.
        """
        return self._partitions(count_windows(partition_rows) * WINDOW_ROWS)

    def _partitions(self, n_rows: int) -> Iterator[Partition]:
        waiting: list[Slice] = []
        n_waiting = index = 0

        def partition() -> Partition:
            columns = self.modality, self.row_column, self.label_column
            return Partition(index, SlicedRows(tuple(waiting), index * n_rows, *columns))

        for block, size in _blocks(self.dataset):
            start = 0
            while n_waiting + size - start >= n_rows:
                stop = start + n_rows - n_waiting
                waiting.append(Slice(block, start, stop))
                yield partition()
                waiting, n_waiting, start, index = [], 0, stop, index + 1
            if start < size:
                waiting.append(Slice(block, start, size))
                n_waiting += size - start
        if waiting:
            yield partition()


@dataclass(frozen=True)
class Slice:
    """Rows `start` up to `stop` of one block.

    Attributes
    ----------
    block : ray.ObjectRef
    start, stop : int
    """

    block: Any
    start: int
    stop: int


@dataclass(frozen=True)
class SlicedRows:
    """Batches of one partition, read from slices of blocks when iterated.

    Attributes
    ----------
    slices : tuple of Slice
    first : int
        Number of the first row in the dataset.
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
        ray = import_optional("ray", "ray")
        tables = [
            _as_table(ray.get(piece.block)).slice(piece.start, piece.stop - piece.start)
            for piece in self.slices
        ]
        reader = TableReader(arrow.concat_tables(tables), self.first)
        return iter(RowSource(reader, self.modality, self.row_column, self.label_column))


class TableReader(Reader):
    """Reads the rows of an Arrow table.

    Parameters
    ----------
    table : pyarrow.Table
    first : int
        Number of the first row, for error messages.
    """

    def __init__(self, table: Any, first: int = 0) -> None:
        super().__init__("dataset")
        self.table, self.first = table, first

    def records(self, choose: Choose) -> Iterator[Record]:
        """Yield the chosen columns of each row."""
        wanted = list(choose(self.table.column_names))
        rows = self.table.select(wanted).to_pylist()
        yield from (Record(number, fields) for number, fields in enumerate(rows, self.first))


def is_ray_dataset(source: Any) -> bool:
    """Tell whether an object is a Ray dataset, without importing Ray."""
    return type(source).__module__.partition(".")[0] == "ray"


def _as_table(block: Any) -> Any:
    return import_optional("ray.data.block", "ray").BlockAccessor.for_block(block).to_arrow()


def _blocks(dataset: Any) -> Iterator[tuple[Any, int]]:
    """Yield a reference to each block, in order, and its number of rows."""
    with _preserve_order(dataset):
        for bundle in dataset.iter_internal_ref_bundles():
            for entry in bundle.blocks:
                yield entry.ref, entry.metadata.num_rows


@contextmanager
def _preserve_order(dataset: Any) -> Iterator[None]:
    """Let blocks arrive in the order of the dataset, instead of as soon as each is ready."""
    options = dataset.context.execution_options
    before, options.preserve_order = options.preserve_order, True
    try:
        yield
    finally:
        options.preserve_order = before
