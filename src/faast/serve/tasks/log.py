"""The log of a task: every change, on the disk before it is acknowledged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faast.core.persistence import sync_folder

BUSY_SECONDS = 10.0
"""Seconds to wait for a reader of the log, such as a backup, that is in the way."""

_TABLES = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE changes (
    position INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, n_rows INTEGER NOT NULL,
    undoes INTEGER, state TEXT NOT NULL
);
CREATE INDEX changes_by_state ON changes (state);
CREATE TABLE steps (
    position INTEGER NOT NULL, row INTEGER NOT NULL, text TEXT NOT NULL, old TEXT, new TEXT,
    source TEXT
);
CREATE INDEX steps_by_position ON steps (position);
CREATE INDEX steps_by_source ON steps (source);
CREATE TABLE rows (
    id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT NOT NULL, label TEXT NOT NULL, source TEXT
);
CREATE INDEX rows_by_source ON rows (source);
CREATE TABLE erasures (source TEXT PRIMARY KEY);
"""


@dataclass(frozen=True)
class Row:
    """A row as a task holds it."""

    id: int
    text: str
    label: str
    source: str | None


@dataclass(frozen=True)
class Step:
    """What a change does to one row.

    Attributes
    ----------
    row : int or None
        Number of the row; None for a new row, which the log numbers.
    text : str
    old, new : str or None
        Label before and after; None where the row is not learned.
    source : str or None
        Whoever gave the row.
    """

    row: int | None
    text: str
    old: str | None
    new: str | None
    source: str | None

    def inverse(self) -> Step:
        """Return the step that takes this one back."""
        return replace(self, old=self.new, new=self.old)


@dataclass(frozen=True)
class Change:
    """One line of the history.

    Attributes
    ----------
    position : int
        Number of the change; 0 is the start of the log.
    at : str
        Time in UTC, ISO 8601.
    kind : str
        "start", "teach", "correct", "forget", "forget source" or "undo".
    n_rows : int
        Number of rows that it touched.
    undoes : int or None
        Position of the change that it takes back.
    state : str
        Hash of the state after the change.
    """

    position: int
    at: str
    kind: str
    n_rows: int
    undoes: int | None
    state: str


class Log:
    """An SQLite file (WAL, synchronous=FULL) with the changes of one task and its present rows.

    One thread at a time may write; any thread may read, and sees whole changes only.

    Parameters
    ----------
    path : Path
        An existing log; see `create`.

    Raises
    ------
    ValueError
        If the file is not such a log.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise FileNotFoundError(f"there is no log {path}")
        self._writer = self._connect()
        try:
            self.settings = dict(self._writer.execute("SELECT name, value FROM settings"))
            self._writer.execute("PRAGMA synchronous = FULL")
            self._writer.execute("PRAGMA secure_delete = ON")  # zeros in place of deleted texts
        except sqlite3.DatabaseError as error:
            self._writer.close()
            raise ValueError(f"{path} is not a log of a task: {error}") from error

    @classmethod
    def create(cls, path: Path, state: str, settings: dict[str, str]) -> Log:
        """Create a log that starts with a state, given by its hash."""
        if path.exists():
            raise FileExistsError(f"there is a log {path.name}")
        new = path.with_name(f".{path.name}.new")  # a kill leaves no half of a log
        remove_log(new)
        try:
            with closing(sqlite3.connect(new, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.executescript(f"BEGIN; {_TABLES}")
                connection.executemany("INSERT INTO settings VALUES (?, ?)", settings.items())
                connection.execute(
                    "INSERT INTO changes VALUES (0, ?, 'start', 0, NULL, ?)", (_now(), state)
                )
                connection.execute("COMMIT")
            new.rename(path)
            sync_folder(path.parent)
        finally:
            remove_log(new)
        return cls(path)

    def append(
        self,
        kind: str,
        steps: Sequence[Step],
        state: str,
        *,
        undoes: int | None = None,
        erase: str | None = None,
    ) -> tuple[Change, list[int]]:
        """Write a change to the disk, and return it with the numbers of its rows.

        Parameters
        ----------
        kind : str
        steps : sequence of Step
        state : str
            Hash of the state after the change.
        undoes : int, optional
        erase : str, optional
            A source whose texts are to be erased by `erase`.

        Raises
        ------
        sqlite3.Error
            If it cannot be written; then nothing of it is.
        """
        with self._transaction() as execute:
            position = self.last().position + 1
            change = Change(position, _now(), kind, len(steps), undoes, state)
            execute(
                "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?)",
                (position, change.at, kind, len(steps), undoes, state),
            )
            numbers = [self._take(execute, position, step) for step in steps]
            if erase is not None:
                execute("INSERT OR IGNORE INTO erasures VALUES (?)", (erase,))
        return change, numbers

    def erase(self) -> None:
        """Erase the texts, labels and names of all sources that are to be forgotten.

        Deleted content is overwritten, and the write-ahead log, which may hold copies, is emptied.

        Raises
        ------
        sqlite3.Error
            If it cannot be done now; `erasures` goes on naming the sources.
        """
        if not self.erasures():
            return
        with self._transaction() as execute:
            execute("DELETE FROM steps WHERE source IN (SELECT source FROM erasures)")
        self._empty_wal()
        with self._transaction() as execute:
            execute("DELETE FROM erasures")
        self._empty_wal()

    def erasures(self) -> list[str]:
        """Return the sources whose texts are still to be erased."""
        return [source for (source,) in self._writer.execute("SELECT source FROM erasures")]

    def last(self) -> Change:
        """Return the latest change."""
        found = self._writer.execute("SELECT * FROM changes ORDER BY position DESC LIMIT 1")
        return Change(*found.fetchone())

    def position_of(self, state: str) -> int | None:
        """Return the position of the latest change that led to a state; None if none did."""
        found = self._writer.execute("SELECT max(position) FROM changes WHERE state = ?", (state,))
        position: int | None = found.fetchone()[0]
        return position

    def changes_after(self, position: int) -> list[Change]:
        """Return the changes after a position, in their order."""
        found = self._writer.execute(
            "SELECT * FROM changes WHERE position > ? ORDER BY position", (position,)
        )
        return [Change(*line) for line in found]

    def steps_of(self, position: int) -> list[Step]:
        """Return the steps of a change; fewer than its `n_rows` if some were erased."""
        found = self._writer.execute(
            "SELECT row, text, old, new, source FROM steps WHERE position = ? ORDER BY rowid",
            (position,),
        )
        return [Step(*line) for line in found]

    def to_undo(self) -> Change | None:
        """Return the latest change that is neither an undo nor undone."""
        found = self._writer.execute(
            "SELECT * FROM changes WHERE undoes IS NULL AND position NOT IN "
            "(SELECT undoes FROM changes WHERE undoes IS NOT NULL) "
            "ORDER BY position DESC LIMIT 1"
        )
        return Change(*found.fetchone())

    def row(self, number: int) -> Row | None:
        """Return a row by its number; None if there is none."""
        with self._reading() as execute:
            found = execute("SELECT * FROM rows WHERE id = ?", (number,)).fetchone()
        return None if found is None else Row(*found)

    def rows(
        self, source: str | None = None, after: int = 0, limit: int | None = None
    ) -> list[Row]:
        """Return rows by rising number: of a source if one is named, after a number."""
        with self._reading() as execute:
            found = execute(
                "SELECT * FROM rows WHERE id > ?1 AND (?2 IS NULL OR source = ?2) "
                "ORDER BY id LIMIT ?3",
                (after, source, -1 if limit is None else limit),
            ).fetchall()
        return [Row(*line) for line in found]

    def history(self, limit: int, before: int | None = None) -> list[Change]:
        """Return changes, the latest first, before a position if one is given."""
        with self._reading() as execute:
            found = execute(
                "SELECT * FROM changes WHERE ?1 IS NULL OR position < ?1 "
                "ORDER BY position DESC LIMIT ?2",
                (before, limit),
            ).fetchall()
        return [Change(*line) for line in found]

    def sources(self) -> dict[str, int]:
        """Return the number of rows of each source."""
        with self._reading() as execute:
            found = execute(
                "SELECT source, count(*) FROM rows WHERE source NOT NULL GROUP BY source"
            ).fetchall()
        return dict(found)

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _take(self, execute: Any, position: int, step: Step) -> int:
        """Write a step, and do to the present rows what it says; return the row's number."""
        number = step.row
        if step.new is None:
            execute("DELETE FROM rows WHERE id = ?", (number,))
        elif step.old is None:
            values = number, step.text, step.new, step.source
            number = execute("INSERT INTO rows VALUES (?, ?, ?, ?)", values).lastrowid
        else:
            execute("UPDATE rows SET label = ? WHERE id = ?", (step.new, number))
        assert number is not None
        execute(
            "INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?)",
            (position, number, step.text, step.old, step.new, step.source),
        )
        return number

    def _connect(self) -> sqlite3.Connection:
        """Open the file, which must exist: that of a deleted task is not made anew."""
        return sqlite3.connect(
            f"{self.path.resolve().as_uri()}?mode=rw",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        execute = self._writer.execute
        execute("BEGIN IMMEDIATE")
        try:
            yield execute
            execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                execute("ROLLBACK")
            raise

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        with closing(self._connect()) as connection:
            yield connection.execute

    def _empty_wal(self) -> None:
        busy = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise sqlite3.OperationalError("another process is reading the log")


def remove_log(path: Path) -> None:
    """Remove a log with the files that SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
