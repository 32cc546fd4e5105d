"""The interface of file readers: records with numbers, and reasons why a row cannot be read."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

_INDEX = re.compile(r"Unnamed: [0-9]+(\.[0-9]+)*|__index_level_[0-9]+__")
"""Names that pandas gives to indices; with R it also writes an empty name, in the first column."""

Modality = Literal["text", "image", "features"]
"""What a row is."""

WINDOW_ROWS = 1024
"""Rows that are read, and encoded, together.

The last bits of many encoders depend on which rows share a batch. Rows are cut into windows by
their order alone, counted from the first row of a call, so the same rows in the same order get the
same features, whether they come from a file that is streamed or from a list.
"""


class DataError(ValueError):
    """Data that cannot be read; the message names the file and line, and says what to do."""


class Record(NamedTuple):
    """One row of a file.

    Attributes
    ----------
    number : int
        The line on which the row begins, counted from 1, or its index in a container.
    fields : mapping of column name to value
    """

    number: int
    fields: Mapping[str, Any]


class RowError(NamedTuple):
    """A row that cannot be read.

    Attributes
    ----------
    number : int
        As in `Record`.
    reason : str
    """

    number: int
    reason: str


class LeftOut(NamedTuple):
    """Something in a source that is no row, which is reported, but never an error.

    Attributes
    ----------
    reason : str
        Begins with its name.
    """

    reason: str


Choose = Callable[[Sequence[str]], Sequence[str]]
"""Takes the names of all columns and returns those of the columns to read."""


class Reader(ABC):
    """Base of the readers of all file formats.

    Parameters
    ----------
    name : str
        What error messages call the source.
    """

    unit: ClassVar[str] = "row"
    """What the number of a record counts: "line", "row" or "image"."""

    modality: ClassVar[Modality | None] = None
    """What rows are, or None if that depends on the content."""

    typed: ClassVar[bool] = True
    """Whether numbers and strings are told apart: in a CSV file, every value is a string."""

    needed: Sequence[str] | None = None
    """Columns that every row must have; None for all that are read. Others may be missing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._fraction: float | None = None

    @property
    def fraction(self) -> float | None:
        """The part of the source that the latest pass has read, from 0 to 1, or None if unknown."""
        return self._fraction

    def index_columns(self, names: Sequence[str]) -> frozenset[str]:
        """Return which of the columns number the rows and are no data; see `choose_columns`.

        Parameters
        ----------
        names : sequence of str
            All columns, as `choose` is given them.
        """
        return frozenset(
            name
            for place, name in enumerate(names)
            if _INDEX.fullmatch(name) or (place == 0 and not name)
        )

    @abstractmethod
    def records(self, choose: Choose) -> Iterator[Record | RowError | LeftOut]:
        """Read all rows from the beginning.

        Parameters
        ----------
        choose : callable
            Called once, with the names of all columns; returns those to read.

        Yields
        ------
        Record, RowError or LeftOut

        Raises
        ------
        DataError
            If the source is missing, empty, damaged or of another format, or `choose` raises it.
        """
