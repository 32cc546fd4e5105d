"""Parts of a Ray dataset: references to its blocks, read where they are learned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from faast.data import Batch, RowSource
from faast.data.records import Choose, Record
from faast.distributed.parts import Part, windows_in
from faast.encoders.base import WINDOW_ROWS, Modality
from faast.optional import require


class TableReader:
    """Rows of an Arrow table.

    Parameters
    ----------
    table : pyarrow.Table
    first : int
        Number of its first row.
    """

    name, unit = "dataset", "row"
    fraction = None

    def __init__(self, table: Any, first: int = 0) -> None:
        self.table, self.first = table, first

    def records(self, choose: Choose) -> Iterator[Record]:
        """See `faast.data.records.Reader.records`."""
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
        arrow = require("pyarrow", "ray")
        tables = [
            as_table(require("ray", "ray").get(piece.block)).slice(
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
    return require("ray.data.block", "ray").BlockAccessor.for_block(block).to_arrow()


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
