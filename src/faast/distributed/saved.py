"""Partial states on disk, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from faast import persistence
from faast._version import __version__
from faast.distributed.partial import Partial

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
