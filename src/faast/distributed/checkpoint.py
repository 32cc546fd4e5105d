"""What some rows have left: classes and everything learned, not yet solved.

Partial states on disk, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from faast._utils.arrays import AnyArray
from faast._version import __version__
from faast.core import persistence
from faast.core.persistence import State, persistent
from faast.core.statistics import Statistics
from faast.estimators import FaastClassifier
from faast.estimators.class_memory import ClassMemory
from faast.estimators.labels import describe_labels, labels_from, positions, union


@persistent("partial")
@dataclass(frozen=True, eq=False)
class Partial:
    """The learned state of a part of the rows; states of all parts add up to that of all rows.

    Attributes
    ----------
    classes : ndarray of shape (C,)
        Sorted labels.
    learned : Statistics
        Moments and kept rows, one column of values a class.
    """

    classes: AnyArray
    learned: Statistics

    @classmethod
    def of(cls, classifier: FaastClassifier) -> Self:
        """Take what a classifier has learned."""
        memory = classifier.learned_
        assert isinstance(memory, ClassMemory)
        learned = memory.memory.learned
        assert learned is not None
        return cls(memory.classes, learned)

    def plus(self, other: Partial) -> Partial:
        """Return what both have learned together; the classes are united.

        Raises
        ------
        ValueError
            Other widths or scales.
        """
        classes = union(self.classes, other.classes)
        mine, theirs = (part._arranged(classes) for part in (self, other))
        return Partial(classes, mine.plus(theirs))

    def emptied(self) -> Partial:
        """Return a state without rows, on the grid that the rows decided."""
        learned = self.learned
        moments = learned.moments.summed(())
        return Partial(
            self.classes, Statistics.nothing(moments, learned.rows.capacity, learned.lifts)
        )

    def into(self, classifier: FaastClassifier) -> None:
        """Let a classifier that has learned no row have learned this."""
        classifier.n_features_in_ = self.learned.moments.n_features
        learned = classifier._nothing(self.classes)
        assert isinstance(learned, ClassMemory)
        classes = union(learned.classes, self.classes)
        learned.memory.learned, learned.classes = self._arranged(classes), classes
        classifier.learned_ = learned

    def to_state(self) -> State:
        """Return what a file keeps."""
        return State.join(
            {"learned": self.learned.to_state()}, classes=describe_labels(self.classes)
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Restore what `to_state` returned."""
        return cls(
            labels_from(state.metadata["classes"]), Statistics.from_state(state.part("learned"))
        )

    def _arranged(self, classes: AnyArray) -> Statistics:
        """Return what was learned with one column a class of `classes`."""
        if np.array_equal(classes, self.classes):
            return self.learned
        return self.learned.select_outputs(positions(classes, self.classes))


SUFFIX = ".partial"
RUN_FILE = "run.json"


class Span(NamedTuple):
    """Parts from `start` up to `stop`."""

    start: int
    stop: int


@dataclass(frozen=True)
class SavedPartials:
    """A folder of partial states, each named by the parts that it covers.

    A state that covers several parts makes the states it was merged from superfluous: with those
    taken away, the folder does not grow with the data.

    Attributes
    ----------
    folder : pathlib.Path
        All workers must see it.
    """

    folder: Path

    @classmethod
    def open(cls, folder: Path, run: dict[str, Any]) -> SavedPartials:
        """Open a folder, made if it is missing, for one run over one set of rows.

        Parameters
        ----------
        folder : pathlib.Path
        run : dict of JSON values
            All that decides what the parts leave.

        Raises
        ------
        ValueError
            It holds states of another run.
        """
        folder.mkdir(parents=True, exist_ok=True)
        record = folder / RUN_FILE
        if not record.exists():
            persistence.write_whole(record, json.dumps(run).encode())
        found = json.loads(record.read_text())
        differing = [name for name in run | found if run.get(name) != found.get(name)]
        if differing:
            name = differing[0]
            raise ValueError(
                f"{folder} holds what another run has learned ({name} was {found.get(name)!r}, "
                f"now it is {run.get(name)!r}); name an empty folder"
            )
        return cls(folder.resolve())  # workers may be at home in another folder

    def save(self, partial: Partial, span: Span) -> None:
        """Keep a state."""
        persistence.save(partial, self._path(span), __version__)

    def prune(self) -> None:
        """Take away states that a wider one covers."""
        found = set(self._found())
        for span in found:
            if any(o != span and o.start <= span.start and span.stop <= o.stop for o in found):
                self._path(span).unlink()

    def load(self, span: Span) -> Partial:
        """Read a state."""
        partial = persistence.load(self._path(span))
        assert isinstance(partial, Partial)
        return partial

    def widest(self, start: int) -> Span | None:
        """Find the state of most parts among those that begin with a certain one."""
        return max((span for span in self._found() if span.start == start), default=None)

    def _found(self) -> Iterator[Span]:
        for path in self.folder.glob(f"*{SUFFIX}"):
            yield Span(*map(int, path.stem.split("-")))

    def _path(self, span: Span) -> Path:
        return self.folder / f"{span.start:09d}-{span.stop:09d}{SUFFIX}"
