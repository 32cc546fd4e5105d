"""SQLite files that hold what was acknowledged: created whole, written durably, removed whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from faast.core.atomic_files import sync_folder
from faast.serve.problems import RequestError

BUSY_SECONDS = 10.0
"""Seconds to wait for a reader, such as a backup, that is in the way."""

BESIDE = ("-wal", "-shm")
"""What SQLite adds to the name of a file for those that it keeps beside it."""


def create_database(path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Create a file with what `fill` writes into it, all or nothing.

    Parameters
    ----------
    path : Path
    fill : callable
        Makes tables and rows within a transaction.

    Raises
    ------
    FileExistsError
        If there is such a file.
    """
    if path.exists():
        raise FileExistsError(f"there is a log {path.name}")
    new = path.with_name(f".{path.name}.new")  # a kill leaves no half of a file
    remove_database(new)
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN")
            fill(connection)
            connection.execute("COMMIT")
            empty_wal(connection)  # closing says nothing if the disk is full
        _remove_beside(path)  # what a deleted file of this name may have left
        new.rename(path)
        sync_folder(path.parent)
    finally:
        remove_database(new)


def connect(path: Path) -> sqlite3.Connection:
    """Open a file, which must exist: one that was deleted is not made anew."""
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def write_durably(connection: sqlite3.Connection) -> None:
    """Let every transaction wait for the disk, and put zeros in place of what it deletes."""
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[Any]:
    """Yield a function that executes statements, all of which are written, or none."""
    execute = connection.execute
    execute("BEGIN IMMEDIATE")
    try:
        yield execute
        execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            execute("ROLLBACK")
        raise


@contextmanager
def answer_unwritten() -> Iterator[None]:
    """Answer errors of the disk: nothing was acknowledged, and the request may be sent again."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise RequestError(
            507,
            f"the change could not be written ({error}); it is not acknowledged. Make room on the "
            "disk or allow writing in the folder, and try again",
        ) from error


def close_log(connection: sqlite3.Connection) -> None:
    """Close a file, which then holds all changes, unless another process is reading it."""
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")  # waits for nobody
    connection.close()


def remove_database(path: Path) -> None:
    """Remove a file with those that SQLite keeps beside it; the file itself goes last."""
    _remove_beside(path)
    path.unlink(missing_ok=True)


def remove_orphans(folder: Path, suffix: str) -> None:
    """Remove what SQLite kept beside files that are gone."""
    for beside in BESIDE:
        for path in folder.glob(f"*{suffix}{beside}"):
            if not path.with_name(path.name.removesuffix(beside)).exists():
                with suppress(OSError):  # a folder may only be read
                    path.unlink()


def empty_wal(connection: sqlite3.Connection) -> None:
    """Move what the write-ahead log holds into the file; raises a sqlite3.Error if it cannot."""
    busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        raise sqlite3.OperationalError("another process is reading the log")


def now() -> str:
    """Return the time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _remove_beside(path: Path) -> None:
    for beside in BESIDE:
        path.with_name(path.name + beside).unlink(missing_ok=True)
