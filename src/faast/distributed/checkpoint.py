"""A folder of partial states, from which an interrupted run can resume."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faast.core import persistence
from faast.core.atomic_files import write_whole
from faast.distributed.partial_state import PartialState
from faast.distributed.partitions import Span

SUFFIX = ".partial"
RUN_FILE = "run.json"


@dataclass(frozen=True)
class Checkpoint:
    """Partial states on disk, each named by the partitions that it covers.

    A state of several partitions replaces the states that it was merged from, so that the folder
    does not grow with the number of rows.

    Attributes
    ----------
    folder : pathlib.Path
        All workers must be able to read and write it.
    """

    folder: Path

    @classmethod
    def open(cls, folder: Path, run: dict[str, Any]) -> Checkpoint:
        """Open the folder of a run; create it if it does not exist.

        Parameters
        ----------
        folder : pathlib.Path
        run : dict of str to JSON value
            Everything that decides what the partial states hold.

        Raises
        ------
        ValueError
            If the folder holds partial states of another run.
        """
        folder.mkdir(parents=True, exist_ok=True)
        record = folder / RUN_FILE
        if not record.exists():
            write_whole(record, json.dumps(run).encode())
        found = json.loads(record.read_text())
        differing = [name for name in run | found if run.get(name) != found.get(name)]
        if differing:
            name = differing[0]
            raise ValueError(
                f"{folder} holds what another run has learned ({name} was {found.get(name)!r}, "
                f"now it is {run.get(name)!r}); name an empty folder"
            )
        return cls(folder.resolve())  # workers may run in another folder

    def save(self, state: PartialState, span: Span) -> None:
        """Write the state of a span of partitions."""
        persistence.save(state, self._path(span))

    def load(self, span: Span) -> PartialState:
        """Read the state of a span of partitions.

        Raises
        ------
        FileNotFoundError, ModelFileError
            If the file is missing or damaged.
        """
        state = persistence.load(self._path(span))
        assert isinstance(state, PartialState)
        return state

    def prune(self) -> None:
        """Delete states that are part of a wider one."""
        found = set(self._spans())
        for span in found:
            if any(o != span and o.start <= span.start and span.stop <= o.stop for o in found):
                self._path(span).unlink()

    def find_widest(self, start: int) -> Span | None:
        """Return the longest saved span that begins with a partition; None if there is none."""
        return max((span for span in self._spans() if span.start == start), default=None)

    def _spans(self) -> Iterator[Span]:
        for path in self.folder.glob(f"*{SUFFIX}"):
            yield Span(*map(int, path.stem.split("-")))

    def _path(self, span: Span) -> Path:
        return self.folder / f"{span.start:09d}-{span.stop:09d}{SUFFIX}"
