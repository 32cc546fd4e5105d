"""What a log holds: rows, the steps that changes consist of, and the lines of the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import NamedTuple

from faast._utils.arrays import FloatArray
from faast.encoders.base import Features

RawRow = str | bytes | list[float]
"""A row as people give it: a text, the bytes of an image file, or numbers."""


class Standing(IntEnum):
    """Whether a row is there, and whether a person has checked its label."""

    ABSENT = 0
    PRESENT = 1
    CONFIRMED = 2


class Place(NamedTuple):
    """Where a row stands; a present row without label waits for one, and is not learned."""

    standing: Standing
    label: str | None


ABSENT = Place(Standing.ABSENT, None)
"""The place of a row before it is added and after it is forgotten."""


@dataclass(frozen=True, eq=False)
class Step:
    """What a change does to one row.

    Attributes
    ----------
    row : int
        Number of the row.
    old, new : Place
    features : ndarray of shape (d,), float32, or None
        None if the model does not need them for this step.
    """

    row: int
    old: Place
    new: Place
    features: Features | None = field(default=None, repr=False)

    @property
    def changes_label(self) -> bool:
        """Whether the model learns or forgets something by it."""
        return self.old.label != self.new.label

    def inverse(self) -> Step:
        """Return the step that takes this one back."""
        return replace(self, old=self.new, new=self.old)


class ClassStep(NamedTuple):
    """What a change does to a class as a whole.

    ``(None, "a")`` adds the class a, which need not have rows; ``("a", None)`` takes this back. The
    step ``("a", "b")`` gives all rows of a to b, also those that are in the model file only.
    """

    old: str | None
    new: str | None


class AddedRow(NamedTuple):
    """A row that a change brings: `raw` is None where rows are not kept."""

    row: int
    source: str | None
    raw: str | bytes | None
    features: Features


class NewRow(NamedTuple):
    """A row that somebody gives; without a label it waits for one."""

    raw: RawRow
    label: str | None = None
    source: str | None = None
    confirmed: bool = False


class Batch(NamedTuple):
    """A part of an upload that is one change.

    Attributes
    ----------
    job : str
    upto : int
        Up to which row of the file.
    columns : tuple of str or None
        Names of the columns of numbers, in the order of the rows; None if the file has none.
    """

    job: str
    upto: int
    columns: tuple[str, ...] | None = None


class Link(NamedTuple):
    """What is known of an item of another program; see `faast.serve.tasks.links`.

    Attributes
    ----------
    origin, key, part_of, version : str
    row : int or None
        Number of the row that it became; the row may be forgotten.
    """

    origin: str
    key: str
    part_of: str
    version: str
    row: int | None


class Held(NamedTuple):
    """Where a row stands, also one that was forgotten, and its features (d,), float32."""

    place: Place
    features: Features


@dataclass(frozen=True, eq=False)
class Plan:
    """A change before it is made.

    Attributes
    ----------
    kind : str
        See `Change`.
    steps : sequence of Step
    added : sequence of AddedRow
    classes : sequence of ClassStep
    names : mapping of label to ndarray of shape (d,), float64
        Embeddings of the names of classes that are new to the model.
    undoes : int or None
        Position of the change that this one takes back.
    undoable : bool
        Whether the change can be taken back.
    keep_rows : bool or None
        New value of this setting; None leaves it as it is.
    erase : str or None
        A source of which everything is to be erased.
    links : sequence of Link
        What is known of items of other programs from then on.
    batch : Batch or None
        Where the rows come from, if from an upload.
    """

    kind: str
    steps: Sequence[Step] = ()
    added: Sequence[AddedRow] = ()
    classes: Sequence[ClassStep] = ()
    names: Mapping[str, FloatArray] = field(default_factory=dict)
    undoes: int | None = None
    undoable: bool = True
    keep_rows: bool | None = None
    erase: str | None = None
    links: Sequence[Link] = ()
    batch: Batch | None = None


@dataclass(frozen=True)
class Change:
    """One line of the history.

    Attributes
    ----------
    position : int
        Number of the change; 0 is the start of the log.
    at : str
        Time in UTC, ISO 8601.
    who : str or None
        Name of the token with which it was made.
    kind : str
        "start", "teach", "add", "label", "correct", "confirm", "forget", "forget source",
        "forget upload", "add class", "rename class", "merge classes", "forget class", "keep rows",
        "drop rows" or "undo".
    n_rows : int
        Number of rows of the log that it touched.
    undoes : int or None
        Position of the change that it takes back.
    undoable : bool
        Whether it can be taken back.
    state : str
        Hash of the state after the change; empty if a source was forgotten later.
    """

    position: int
    at: str
    who: str | None
    kind: str
    n_rows: int
    undoes: int | None
    undoable: bool
    state: str


@dataclass(frozen=True)
class Row:
    """A present row.

    Attributes
    ----------
    id : int
    text : str or None
        None if rows are not texts, or are not kept.
    has_picture : bool
        Whether the log keeps a picture of it.
    label : str or None
        None if the row waits for a label.
    source : str or None
        Whoever gave the row.
    confirmed : bool
        Whether a person has checked the label.
    numbers : list of float or None
        The row itself where rows are numbers.
    """

    id: int
    text: str | None
    has_picture: bool
    label: str | None
    source: str | None
    confirmed: bool
    numbers: list[float] | None = None


class Certificate(NamedTuple):
    """Proof that a source was forgotten: the state before and after, and the number of rows.

    Whoever has all other rows can try guesses at a forgotten one against the state before.
    """

    position: int
    at: str
    rows_forgotten: int
    state_before: str
    state_after: str
