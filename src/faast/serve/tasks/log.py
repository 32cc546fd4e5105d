"""The log of a task: every change, on the disk before it is acknowledged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from faast._utils.arrays import FloatArray
from faast.serve.database import close_log, connect, empty_wal, now, transaction, write_durably
from faast.serve.tasks.reader import LogReader
from faast.serve.tasks.records import (
    ABSENT,
    Certificate,
    Change,
    ClassStep,
    Held,
    Link,
    Plan,
    Step,
)
from faast.serve.tasks.schema import (
    CHANGE,
    FORMAT,
    change_of,
    place_of,
    read_class_steps,
    unpack,
    write_class_steps,
)
from faast.serve.tasks.writing import (
    KEEP_ROWS,
    erase_rows,
    marks,
    settings_of,
    write_classes,
    write_links,
    write_rows,
)

ERASED = "erased"
"""Setting: position of the latest change after which something was erased."""

_OF_JOB = "id IN (SELECT row FROM steps JOIN batches USING (position) WHERE job = ?)"


class Log(LogReader):
    """An SQLite file (WAL, synchronous=FULL) with the changes of one task and its rows.

    One thread at a time may write; any thread may read, and sees whole changes only.

    Parameters
    ----------
    path : Path
        An existing log; see `create_log_file`.

    Raises
    ------
    ValueError
        If the file is not such a log, or one of another version.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no log {path}")
        self._writer = connect(path)
        try:
            self.settings = dict(self._writer.execute("SELECT name, value FROM settings"))
            write_durably(self._writer)
        except sqlite3.DatabaseError as error:
            self._writer.close()
            raise ValueError(f"{path} is not a log of a task: {error}") from error
        version = self.settings.get("format")
        if version != FORMAT:
            self._writer.close()
            raise ValueError(
                f"{path} is a log of format {version or 1}, this version reads format {FORMAT}: "
                "open it with the version that wrote it, or move the log away to start anew from "
                "the model file"
            )

    @property
    def keeps_rows(self) -> bool:
        """Whether rows are kept as they were given."""
        return self.settings[KEEP_ROWS] == "1"

    @property
    def erased(self) -> int:
        """Position of the latest change after which something was erased; 0 if nothing was."""
        return int(self.settings.get(ERASED, 0))

    def append(self, plan: Plan, before: str, state: str, who: str | None) -> Change:
        """Write a change to the disk, and return it.

        Parameters
        ----------
        plan : Plan
        before, state : str
            Hash of the state before and after the change.
        who : str or None
            Name of the token with which it is made.

        Raises
        ------
        sqlite3.Error
            If it cannot be written; then nothing of it is.
        """
        with transaction(self._writer) as execute:
            position = self.last().position + 1
            change = Change(
                position,
                now(),
                who,
                plan.kind,
                len(plan.steps),
                plan.undoes,
                plan.undoable,
                state,
            )
            execute(
                f"INSERT INTO changes ({CHANGE}, classes) VALUES ({marks(9)})",
                (*vars(change).values(), write_class_steps(plan.classes)),
            )
            write_rows(execute, position, plan)
            write_classes(execute, plan)
            write_links(execute, plan.links)
            if plan.batch is not None:
                batch = position, plan.batch.job, plan.batch.upto
                execute("INSERT INTO batches VALUES (?, ?, ?)", batch)
            settings = settings_of(plan)
            for setting in settings.items():
                execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", setting)
            if plan.erase is not None or plan.keep_rows is False:
                erasure = plan.erase, position, len(plan.steps), before
                execute("INSERT INTO erasures VALUES (?, ?, ?, ?)", erasure)
        self.settings |= settings
        return change

    def remember(self, links: Iterable[Link]) -> None:
        """Write what is known of items of other programs, where no row changes.

        Raises
        ------
        sqlite3.Error
            If it cannot be written.
        """
        with transaction(self._writer) as execute:
            write_links(execute, links)

    def link(self, origin: str, key: str) -> Link | None:
        """Return what is known of an item of another program; None if nothing is."""
        found = self._writer.execute(
            "SELECT * FROM links WHERE origin = ? AND key = ?", (origin, key)
        ).fetchone()
        return None if found is None else Link(*found)

    def links_of(self, origin: str, part_of: str) -> list[Link]:
        """Return what is known of all items that are part of something."""
        found = self._writer.execute(
            "SELECT * FROM links WHERE origin = ? AND part_of = ?", (origin, part_of)
        )
        return [Link(*line) for line in found]

    def held(self, number: int) -> Held | None:
        """Return where a row stands, also one that was forgotten; None if it was erased."""
        found = self._writer.execute(
            "SELECT standing, label, features FROM rows JOIN contents ON row = id WHERE id = ?",
            (number,),
        ).fetchone()
        return None if found is None else Held(place_of(*found[:2]), unpack(found[2]))

    def erase(self, labels: Iterable[str]) -> None:
        """Erase all that the log holds of forgotten sources, and raw rows that are not kept.

        Deleted content is overwritten, and the write-ahead log, which may hold copies, is emptied.

        Parameters
        ----------
        labels : iterable of str
            Classes of the model, whose names are kept.

        Raises
        ------
        sqlite3.Error
            If it cannot be done now; `is_erasing` remains true.
        """
        with transaction(self._writer) as execute:
            erase_rows(execute, labels)
            (erased,) = execute(
                "SELECT coalesce(max(position), 0) FROM erasures WHERE source IS NOT NULL"
            ).fetchone()
            erased = str(max(self.erased, erased))
            execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (ERASED, erased))
        self.settings[ERASED] = erased
        empty_wal(self._writer)
        with transaction(self._writer) as execute:
            execute("DELETE FROM erasures")
            # the hash of a state would tell whoever has the other rows which guess was right
            execute("UPDATE changes SET state = '' WHERE position < ?", (self.erased,))
        empty_wal(self._writer)

    @property
    def is_erasing(self) -> bool:
        """Whether something is still to be erased."""
        return self._writer.execute("SELECT 1 FROM erasures").fetchone() is not None

    def certificate(self, source: str) -> Certificate | None:
        """Return the certificate of a source that is still to be erased; None if it is not."""
        found = self._writer.execute(
            "SELECT changes.position, at, erasures.n_rows, state_before, state "
            "FROM erasures JOIN changes USING (position) WHERE source = ?",
            (source,),
        ).fetchone()
        return None if found is None else Certificate(*found)

    def next_row(self) -> int:
        """Return the number of the next row; numbers are never used again."""
        found = self._writer.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'rows'"
        ).fetchone()
        return 1 if found is None else found[0] + 1

    def last(self) -> Change:
        """Return the latest change."""
        found = self._writer.execute(f"SELECT {CHANGE} FROM changes ORDER BY position DESC LIMIT 1")
        return change_of(found.fetchone())

    def position_of(self, state: str) -> int | None:
        """Return the position of the latest change that led to a state; None if none did."""
        found = self._writer.execute("SELECT max(position) FROM changes WHERE state = ?", (state,))
        position: int | None = found.fetchone()[0]
        return position

    def changes_after(self, position: int) -> Iterator[tuple[list[Step], list[ClassStep]]]:
        """Yield the steps of each change after a position, in their order."""
        found = self._writer.execute(
            "SELECT position, classes FROM changes WHERE position > ? ORDER BY position",
            (position,),
        )
        for number, classes in found.fetchall():
            yield self.steps_of(number), read_class_steps(classes)

    def steps_of(self, position: int) -> list[Step]:
        """Return the steps of a change on rows; features come with those that the model needs."""
        found = self._writer.execute(
            "SELECT steps.row, old_standing, old_label, new_standing, new_label, "
            "CASE WHEN old_label IS NOT new_label THEN features END "
            "FROM steps JOIN contents ON contents.row = steps.row WHERE position = ? "
            "ORDER BY steps.rowid",
            (position,),
        )
        return [
            Step(row, place_of(*old), place_of(*new), None if packed is None else unpack(packed))
            for row, *places, packed in found
            for old, new in [(places[:2], places[2:])]
        ]

    def class_steps_of(self, position: int) -> list[ClassStep]:
        """Return the steps of a change on classes."""
        found = self._writer.execute("SELECT classes FROM changes WHERE position = ?", (position,))
        return read_class_steps(found.fetchone()[0])

    def to_undo(self) -> Change:
        """Return the latest change that was not taken back; changes of settings are left out."""
        found = self._writer.execute(
            f"SELECT {CHANGE} FROM changes WHERE undoes IS NULL "
            "AND kind NOT IN ('keep rows', 'drop rows') AND NOT EXISTS "
            "(SELECT 1 FROM changes AS later WHERE later.undoes = changes.position) "
            "ORDER BY position DESC LIMIT 1"
        )
        return change_of(found.fetchone())

    def forgetting(self, column: Literal["id", "label", "source", "job"], value: Any) -> list[Step]:
        """Return the steps that forget all present rows with this number, label, source or job."""
        where = f"{column} = ?" if column != "job" else _OF_JOB
        found = self._writer.execute(
            "SELECT id, standing, label, features FROM rows JOIN contents ON row = id "
            f"WHERE standing > 0 AND {where} ORDER BY id",
            (value,),
        )
        return [
            Step(row, place_of(standing, label), ABSENT, unpack(features))
            for row, standing, label, features in found
        ]

    def has_source(self, source: str) -> bool:
        """Return whether the log holds anything of a source, also rows that were forgotten."""
        found = self._writer.execute("SELECT 1 FROM rows WHERE source = ? LIMIT 1", (source,))
        return found.fetchone() is not None

    def width_waiting(self) -> int | None:
        """Return the number of features of the rows that wait for a label; None without any."""
        found = self._writer.execute(
            "SELECT features FROM contents JOIN rows ON row = id "
            "WHERE standing > 0 AND label IS NULL LIMIT 1"
        ).fetchone()
        return None if found is None else len(unpack(found[0]))

    def classes(self) -> list[str]:
        """Return the classes that were added, with or without rows."""
        return [label for (label,) in self._writer.execute("SELECT label FROM classes ORDER BY 1")]

    def names(self) -> dict[str, FloatArray]:
        """Return the embeddings of the names of classes."""
        found = self._writer.execute("SELECT label, vector FROM names")
        return {label: np.frombuffer(vector) for label, vector in found}

    def close(self) -> None:
        """Close the file, which then holds all changes, unless another process is reading it."""
        close_log(self._writer)
