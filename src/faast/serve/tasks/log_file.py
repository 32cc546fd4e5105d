"""The file of the log of a task, as it begins."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from faast._utils.arrays import FloatArray
from faast.serve.database import create_database, now
from faast.serve.tasks.schema import CHANGE, FORMAT, TABLES
from faast.serve.tasks.writing import marks, write_names


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

    def fill(connection: sqlite3.Connection) -> None:
        execute = connection.execute
        for statement in TABLES.strip().split(";\n"):
            execute(statement)
        connection.executemany(
            "INSERT INTO settings VALUES (?, ?)", {**settings, "format": FORMAT}.items()
        )
        start = 0, now(), None, "start", 0, None, False, state, "[]"
        execute(f"INSERT INTO changes ({CHANGE}, classes) VALUES ({marks(9)})", start)
        for label in classes:
            execute("INSERT INTO classes VALUES (?)", (label,))
        write_names(execute, names or {})

    create_database(path, fill)
