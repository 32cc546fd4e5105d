"""What a reader gives: numbered records, and reasons where one could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

Modality = Literal["text", "image", "features"]

WINDOW_ROWS = 1024
"""Rows encoded together, counted from the first row of a call.

A float encoder's last bits depend on the rows that share a batch. Windows are cut by row order
alone, so the same rows in the same order always share the same batches; readers hand over batches
of this many rows, so a streamed file and a list of its rows are encoded alike.
"""


class DataError(ValueError):
    """Rows that cannot be read; the message names the file, the line and what to do."""


class Record(NamedTuple):
    """One row of a file.

    Attributes
    ----------
    number : int
        The line on which it begins, from 1, or its place in a container.
    fields : mapping of column name to value
    """

    number: int
    fields: Mapping[str, Any]


class Fault(NamedTuple):
    """A row that could not be read, and why."""

    number: int
    reason: str


Choose = Callable[[Sequence[str]], Sequence[str]]
"""Takes the columns that there are and returns those that are wanted; may raise `DataError`."""


class Reader(Protocol):
    """One file format."""

    @property
    def name(self) -> str:
        """What error messages call the file."""

    @property
    def unit(self) -> str:
        """What a record's number counts: "line", "row" or "image"."""

    @property
    def fraction(self) -> float | None:
        """How much of the file the latest pass has read, 0 to 1, where that is known."""

    def records(self, choose: Choose) -> Iterator[Record | Fault]:
        """Read from the beginning, asking once which columns are wanted.

        Raises
        ------
        DataError
            The file is missing, empty, or of another format.
        """
