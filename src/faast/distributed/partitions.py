"""Partitions: groups of neighbouring rows, each learned by one worker.

Rows are encoded in windows of `WINDOW_ROWS` rows, and a partition is a fixed number of whole
windows. Which rows share a window depends only on their place in the data, never on the number of
workers or on the worker that learns a partition. So the features are always the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from faast.data import Batch, RowSource
from faast.data.reader import WINDOW_ROWS

PARTITION_ROWS = 16 * WINDOW_ROWS
"""Default number of rows; encoding so many takes much longer than merging what was learned."""


@dataclass(frozen=True)
class Partition:
    """Rows that one worker learns.

    Attributes
    ----------
    index : int
        Position among all partitions, from 0.
    batches : iterable of Batch
        One batch per window. It may read the rows only when iterated, on the worker.
    """

    index: int
    batches: Iterable[Batch]


class Span(NamedTuple):
    """The partitions from index `start` up to, not including, index `stop`."""

    start: int
    stop: int


class PartitionedRows(Protocol):
    """Labelled rows that can be split into partitions."""

    @property
    def fraction(self) -> float | None:
        """How much has been read, 0 to 1; None if that is not known."""

    def describe(self) -> Any:
        """Return JSON values that identify the rows, to recognise them in a later run."""

    def split(self, partition_rows: int) -> Iterator[Partition]:
        """Split the rows into partitions of a multiple of `WINDOW_ROWS` rows."""


class FileRows:
    """Rows of one or several sources, read one after the other by the calling process.

    Each source begins a new window.

    Parameters
    ----------
    sources : sequence of RowSource
        At least one; see `faast.data.open_rows`.
    """

    def __init__(self, sources: Sequence[RowSource]) -> None:
        self.sources = sources

    @property
    def fraction(self) -> float:
        """How much has been read, 0 to 1; all sources count the same."""
        return sum(source.fraction or 0.0 for source in self.sources) / len(self.sources)

    def __iter__(self) -> Iterator[Batch]:
        for source in self.sources:
            yield from source

    def describe(self) -> list[Any]:
        """Return path, size and time of each file, and how its rows are read.

        Raises
        ------
        ValueError
            If a source is not a file or folder, such as standard input.
        """
        return [_describe_source(source) for source in self.sources]

    def split(self, partition_rows: int) -> Iterator[Partition]:
        """Split the rows into partitions; see `split_batches`."""
        return split_batches(self, partition_rows)


def split_batches(batches: Iterable[Batch], partition_rows: int) -> Iterator[Partition]:
    """Group batches of one window each into partitions.

    Parameters
    ----------
    batches : iterable of Batch
        Read as the partitions are asked for.
    partition_rows : int
        A multiple of `WINDOW_ROWS`.

    Raises
    ------
    ValueError
        At once, if `partition_rows` is not such a multiple.
    """
    n_windows = count_windows(partition_rows)

    def partitions() -> Iterator[Partition]:
        windows = iter(batches)
        index = 0
        while group := list(islice(windows, n_windows)):
            yield Partition(index, [_resolve_paths(batch) for batch in group])
            index += 1

    return partitions()


def count_windows(partition_rows: int) -> int:
    """Return the number of windows per partition.

    Raises
    ------
    ValueError
        If `partition_rows` is not a positive multiple of `WINDOW_ROWS`.
    """
    if partition_rows < 1 or partition_rows % WINDOW_ROWS:
        raise ValueError(
            f"partition_rows must be a multiple of {WINDOW_ROWS}, the number of rows that are "
            f"encoded together; got {partition_rows}"
        )
    return partition_rows // WINDOW_ROWS


def _resolve_paths(batch: Batch) -> Batch:
    """Make paths absolute, because workers may run in another folder."""
    rows = [row.resolve() if isinstance(row, Path) else row for row in batch.rows]
    return batch._replace(rows=rows)


def _describe_source(source: RowSource) -> list[Any]:
    path = Path(source.name)
    if not path.exists():
        raise ValueError(
            f"{source.name} is not a file, so an interrupted run could not read it again; write "
            "its rows to a file, or leave out resume (--resume)"
        )
    found = path.stat()
    return [
        str(path.resolve()),
        found.st_size,
        found.st_mtime_ns,
        source.modality,
        source.row_column,
        source.label_column,
        source.on_error,
        source.label_separator,
        source.marks,
    ]
