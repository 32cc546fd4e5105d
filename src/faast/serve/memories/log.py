"""The log of a memory: every text to read, on the disk before it is acknowledged.

A memory changes when a text was read to its end, and when texts are forgotten. Each change has a
number, and the hash of the memory after it: so the file of the memory says where a replay starts.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

from faast.lm import MemoryConfig
from faast.serve.database import (
    close_log,
    connect,
    create_database,
    empty_wal,
    now,
    transaction,
    write_durably,
)
from faast.serve.jobs.job import ENDED, Status

FORMAT = "1"
"""Version of the tables; raise it whenever they change, so that other logs are refused."""

TABLES = (
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE changes (number INTEGER PRIMARY KEY, state TEXT NOT NULL)",
    """CREATE TABLE reads (
    position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, who TEXT,
    source TEXT, text TEXT NOT NULL, status TEXT NOT NULL, tokens INTEGER, detail TEXT,
    learned INTEGER, forgotten INTEGER
)""",
    "CREATE INDEX reads_by_source ON reads (source)",
)
"""`learned` and `forgotten` are the numbers of the changes that did it."""

_READ = "id, at, who, source, status, tokens, detail"


@dataclass(frozen=True)
class Read:
    """A text that is to be read, or was.

    Attributes
    ----------
    id : str
    at : str
        When it was acknowledged, in UTC, ISO 8601.
    who : str or None
        Name of the token with which it was sent.
    source : str or None
    status : {"waiting", "running", "done", "cancelled", "failed"}
    tokens : int or None
        Its length; None until it was read.
    detail : str or None
        What went wrong.
    """

    id: str
    at: str
    who: str | None
    source: str | None
    status: Status
    tokens: int | None
    detail: str | None

    @property
    def ended(self) -> bool:
        """Whether nothing more will be learned."""
        return self.status in ENDED


def create_log(path: Path, config: MemoryConfig, state: str) -> None:
    """Create the log of a memory that is in a state.

    Raises
    ------
    FileExistsError
        If there is a log.
    OSError, sqlite3.Error
        If it cannot be written.
    """

    def fill(connection: sqlite3.Connection) -> None:
        for table in TABLES:
            connection.execute(table)
        settings = {"format": FORMAT, "config": json.dumps(config.to_dict())}
        connection.executemany("INSERT INTO settings VALUES (?, ?)", settings.items())
        connection.execute("INSERT INTO changes VALUES (0, ?)", (state,))

    create_database(path, fill)


class ReadLog:
    """An SQLite file (WAL, synchronous=FULL) with the texts that one memory reads.

    Any thread may use it.

    Parameters
    ----------
    path : Path
        An existing log; see `create_log`.

    Attributes
    ----------
    config : MemoryConfig
        Settings of the memory.

    Raises
    ------
    ValueError
        If the file is not such a log, or one of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = RLock()
        self._connection = connect(path)
        try:
            write_durably(self._connection)
            settings = dict(self._connection.execute("SELECT name, value FROM settings"))
            if settings.get("format") != FORMAT:
                raise ValueError(f"its format is {settings.get('format')!r}")
            self.config = MemoryConfig.from_dict(json.loads(settings["config"]))
        except (sqlite3.DatabaseError, ValueError, KeyError) as error:
            self._connection.close()
            raise ValueError(
                f"{path.name} is no log of a memory that this version wrote: {error}"
            ) from error

    def add(self, text: str, source: str | None, who: str | None) -> Read:
        """Write a text that is to be read to the disk, and return what is known about it.

        Without a source its own id becomes its source, so that it can be forgotten.

        Raises
        ------
        sqlite3.Error
            If it cannot be written; then nothing of it is.
        """
        id = secrets.token_hex(8)
        read = Read(id, now(), who, source or id, "waiting", None, None)
        with self._writing() as execute:
            execute(
                "INSERT INTO reads (id, at, who, source, text, status) VALUES (?, ?, ?, ?, ?, ?)",
                (read.id, read.at, read.who, read.source, text, read.status),
            )
        return read

    def learned(self, id: str, tokens: int, state: str) -> bool:
        """Write that a text was learned, with the state after it.

        False if the text was cancelled meanwhile: then nothing is written.
        """
        with self._writing() as execute:
            number = self.last()[0] + 1
            written = execute(
                "UPDATE reads SET status = 'done', tokens = ?, learned = ? "
                "WHERE id = ? AND status = 'waiting'",
                (tokens, number, id),
            )
            if written.rowcount:
                execute("INSERT INTO changes VALUES (?, ?)", (number, state))
            return bool(written.rowcount)

    def forgotten(self, source: str, state: str) -> None:
        """Write that all texts of a source were forgotten."""
        with self._writing() as execute:
            number = self.last()[0] + 1
            execute("INSERT INTO changes VALUES (?, ?)", (number, state))
            execute(
                "UPDATE reads SET forgotten = ? "
                "WHERE source = ? AND learned IS NOT NULL AND forgotten IS NULL",
                (number, source),
            )

    @property
    def is_erasing(self) -> bool:
        """Whether forgotten texts are still to be erased."""
        return bool(self._ask("SELECT 1 FROM reads WHERE forgotten IS NOT NULL LIMIT 1"))

    def count_erasing(self, source: str) -> int:
        """Return the number of forgotten texts of a source that are still to be erased."""
        query = "SELECT count(*) FROM reads WHERE source = ? AND forgotten IS NOT NULL"
        return int(self._ask(query, source)[0][0])

    def erase(self) -> None:
        """Erase all that the log holds of forgotten texts, and the states that knew them.

        Deleted content is overwritten, and the write-ahead log, which may hold copies, is emptied.
        """
        with self._lock:
            with self._writing() as execute:
                last = execute("SELECT max(forgotten) FROM reads").fetchone()
                execute("DELETE FROM reads WHERE forgotten IS NOT NULL")
                # by a state's hash, someone with the other texts could confirm a guess of this one
                execute("UPDATE changes SET state = '' WHERE number < ?", last)
            empty_wal(self._connection)

    def end(self, id: str, status: Status, detail: str | None) -> bool:
        """Write that a text will not be learned, and erase it; False if it had ended before."""
        with self._lock:
            with self._writing() as execute:
                written = execute(
                    "UPDATE reads SET status = ?, detail = ?, text = '' "
                    "WHERE id = ? AND status = 'waiting'",
                    (status, detail, id),
                )
            empty_wal(self._connection)
            return bool(written.rowcount)

    def restate(self, state: str) -> None:
        """Write the state that a replay led to."""
        with self._writing() as execute:
            execute("UPDATE changes SET state = ? WHERE number = ?", (state, self.last()[0]))

    def last(self) -> tuple[int, str]:
        """Return the number of the latest change, and the state after it."""
        number, state = self._ask("SELECT * FROM changes ORDER BY number DESC LIMIT 1")[0]
        return number, state

    def number_of(self, state: str) -> int | None:
        """Return the number of the latest change that led to a state; None if none did."""
        number: int | None = self._ask("SELECT max(number) FROM changes WHERE state = ?", state)[0][
            0
        ]
        return number

    def changes_after(self, number: int) -> Iterator[tuple[list[str], list[str]]]:
        """Yield the texts that each change after a number learned, and those that it forgot."""
        for change in range(number + 1, self.last()[0] + 1):
            yield self._texts("learned = ?", change), self._texts("forgotten = ?", change)

    def texts_of(self, source: str) -> list[str]:
        """Return the learned texts of a source, in the order in which they were sent."""
        return self._texts("source = ? AND learned IS NOT NULL AND forgotten IS NULL", source)

    def text(self, id: str) -> str:
        """Return a text."""
        return str(self._ask("SELECT text FROM reads WHERE id = ?", id)[0][0])

    def read(self, id: str) -> Read | None:
        """Return what is known about a text; None if nothing is."""
        found = self._reads("WHERE id = ?", id)
        return found[0] if found else None

    def reads(self, limit: int) -> list[Read]:
        """Return all texts that wait, and the latest that ended; the oldest first."""
        waiting = self._reads("WHERE status = 'waiting' ORDER BY position")
        ended = self._reads("WHERE status != 'waiting' ORDER BY position DESC LIMIT ?", limit)
        return [*ended[::-1], *waiting]

    def sources(self) -> dict[str, int]:
        """Return the number of learned texts of each source."""
        found = self._ask(
            "SELECT source, count(*) FROM reads WHERE source IS NOT NULL AND learned IS NOT NULL "
            "AND forgotten IS NULL GROUP BY source ORDER BY source"
        )
        return dict(found)

    def close(self) -> None:
        """Close the file, which then holds all changes, unless another process is reading it."""
        with self._lock:
            close_log(self._connection)

    def _texts(self, where: str, *values: Any) -> list[str]:
        found = self._ask(f"SELECT text FROM reads WHERE {where} ORDER BY position", *values)
        return [text for (text,) in found]

    def _reads(self, where: str, *values: Any) -> list[Read]:
        return [Read(*line) for line in self._ask(f"SELECT {_READ} FROM reads {where}", *values)]

    def _ask(self, query: str, *values: Any) -> Sequence[Any]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        with self._lock, transaction(self._connection) as execute:
            yield execute
