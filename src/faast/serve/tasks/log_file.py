"""The file of a log: created whole, removed whole, with nothing left beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from faast._utils.arrays import FloatArray
from faast.core.persistence import sync_folder
from faast.serve.tasks.schema import CHANGE, FORMAT, TABLES
from faast.serve.tasks.writing import marks, write_names

BESIDE = ("-wal", "-shm")
"""What SQLite adds to the name of a file for those that it keeps beside it."""


def create_log_file(
    path: Path,
    state: str,
    settings: Mapping[str, str],
    classes: Iterable[str] = (),
    names: Mapping[str, FloatArray] | None = None,
) -> None:
    """Create a log that starts with a state.

    Parameters
    ----------
    path : Path
    state : str
        Hash of the state.
    settings : mapping of str to str
    classes : iterable of str
        Classes that are there before they have rows.
    names : mapping of label to ndarray of shape (d,), optional
        Embeddings of the names of classes.
    """
    if path.exists():
        raise FileExistsError(f"there is a log {path.name}")
    new = path.with_name(f".{path.name}.new")  # a kill leaves no half of a log
    remove_log(new)
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            execute = connection.execute
            execute("PRAGMA journal_mode = WAL")
            execute("PRAGMA synchronous = FULL")
            connection.executescript(f"BEGIN; {TABLES}")
            connection.executemany(
                "INSERT INTO settings VALUES (?, ?)", {**settings, "format": FORMAT}.items()
            )
            start = 0, now(), None, "start", 0, None, False, state, "[]"
            execute(f"INSERT INTO changes ({CHANGE}, classes) VALUES ({marks(9)})", start)
            for label in classes:
                execute("INSERT INTO classes VALUES (?)", (label,))
            write_names(execute, names or {})
            execute("COMMIT")
            empty_wal(connection)  # closing says nothing if the disk is full
        _remove_beside(path)  # what a deleted log of this name may have left
        new.rename(path)
        sync_folder(path.parent)
    finally:
        remove_log(new)


def remove_log(path: Path) -> None:
    """Remove a log with the files that SQLite keeps beside it; the log goes last."""
    _remove_beside(path)
    path.unlink(missing_ok=True)


def remove_orphans(folder: Path, suffix: str) -> None:
    """Remove what SQLite kept beside logs that are gone."""
    for beside in BESIDE:
        for path in folder.glob(f"*{suffix}{beside}"):
            if not path.with_name(path.name.removesuffix(beside)).exists():
                with suppress(OSError):  # a folder may only be read
                    path.unlink()


def _remove_beside(path: Path) -> None:
    for beside in BESIDE:
        path.with_name(path.name + beside).unlink(missing_ok=True)


def empty_wal(connection: sqlite3.Connection) -> None:
    """Move what the write-ahead log holds into the log; raises a sqlite3.Error if it cannot."""
    busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        raise sqlite3.OperationalError("another process is reading the log")


def now() -> str:
    """Return the time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
