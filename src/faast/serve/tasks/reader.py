"""Questions to a log that any thread may ask while another one writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from faast.encoders.base import Features
from faast.serve.database import connect
from faast.serve.problems import RequestError
from faast.serve.tasks.records import Change, NewRow, Row, Standing
from faast.serve.tasks.schema import CHANGE, COLUMNS, change_of, unpack

_ROW = """
SELECT id, CASE typeof(raw) WHEN 'text' THEN raw END, typeof(raw) = 'blob', label, source, standing
FROM rows JOIN contents ON row = id WHERE standing > 0
"""


class LogReader:
    """Reads an SQLite file with the log of a task; sees whole changes only.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def row(self, number: int) -> Row | None:
        """Return a present row by its number; None if there is none."""
        found = self._ask(f"{_ROW} AND id = ?", number)
        return _row_of(found[0]) if found else None

    def rows(
        self,
        source: str | None = None,
        label: str | None = None,
        waiting: bool | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> list[Row]:
        """Return present rows by rising number.

        Parameters
        ----------
        source, label : str, optional
            Only rows of this source, or with this label.
        waiting : bool, optional
            Only rows that wait for a label, or only others.
        after : int
            Only rows with a larger number.
        limit : int, optional
            Largest number of rows.
        """
        conditions, values = ["id > ?"], [after]  # type: tuple[list[str], list[Any]]
        for column, wanted in (("source", source), ("label", label)):
            if wanted is not None:
                conditions.append(f"{column} = ?")
                values.append(wanted)
        if waiting is not None:
            conditions.append(f"label IS {'' if waiting else 'NOT '}NULL")
        found = self._ask(
            f"{_ROW} AND {' AND '.join(conditions)} ORDER BY id LIMIT ?",
            *values,
            -1 if limit is None else limit,
        )
        return [_row_of(line) for line in found]

    def given(self, numbers: bool) -> Iterator[NewRow]:
        """Yield the present rows of one moment as they were given, if they are kept, in order.

        Parameters
        ----------
        numbers : bool
            Whether rows are numbers, which are their own features.
        """
        with self._reading() as execute:
            for raw, features, label, source, standing in execute(
                "SELECT raw, features, label, source, standing FROM rows JOIN contents ON row = id "
                "WHERE standing > 0 AND (? OR raw IS NOT NULL) ORDER BY id",
                (numbers,),
            ):
                row = unpack(features).astype(float).tolist() if numbers else raw
                yield NewRow(row, label, source, standing == Standing.CONFIRMED)

    def raw(self, number: int) -> str | bytes | None:
        """Return a present row as it was given; None if there is none, or it is not kept."""
        found = self._ask(
            "SELECT raw FROM contents JOIN rows ON row = id WHERE standing > 0 AND id = ?", number
        )
        raw: str | bytes | None = found[0][0] if found else None
        return raw

    def features(self, numbers: Sequence[int]) -> Features:
        """Return the features of rows, (n, d), float32; all of the numbers must be known."""
        with self._reading() as execute:
            found = [
                execute("SELECT features FROM contents WHERE row = ?", (number,)).fetchone()[0]
                for number in numbers
            ]
        return _stack(found)

    def labelled(self) -> tuple[list[int], list[str], list[bool], Features]:
        """Return numbers, labels, whether they are confirmed, and features of the learned rows."""
        found = self._ask(
            "SELECT id, label, standing, features FROM rows JOIN contents ON row = id "
            "WHERE label IS NOT NULL ORDER BY id"
        )
        confirmed = [line[2] == Standing.CONFIRMED for line in found]
        features = _stack([line[3] for line in found])
        return [line[0] for line in found], [line[1] for line in found], confirmed, features

    def pool(self) -> tuple[list[int], Features]:
        """Return numbers and features of the rows that wait for a label."""
        found = self._ask(
            "SELECT id, features FROM rows JOIN contents ON row = id "
            "WHERE standing > 0 AND label IS NULL ORDER BY id"
        )
        return [line[0] for line in found], _stack([line[1] for line in found])

    def count_waiting(self) -> int:
        """Return the number of rows that wait for a label."""
        found: int = self._ask("SELECT count(*) FROM rows WHERE standing > 0 AND label IS NULL")[0][
            0
        ]
        return found

    def taught_by(self, job: str) -> int:
        """Return up to which row of its file a job has taught."""
        found: int | None = self._ask("SELECT max(upto) FROM batches WHERE job = ?", job)[0][0]
        return found or 0

    def columns(self) -> list[str] | None:
        """Return how uploads named the columns of numbers of present rows; None if none did."""
        found = self._ask(
            "SELECT value FROM settings JOIN batches ON name = ? || job "
            "JOIN steps USING (position) JOIN rows ON rows.id = steps.row "
            "WHERE standing > 0 LIMIT 1",
            COLUMNS,
        )
        return list(json.loads(found[0][0])) if found else None

    def history(self, limit: int, before: int | None = None) -> list[Change]:
        """Return changes, the latest first, before a position if one is given."""
        found = self._ask(
            f"SELECT {CHANGE} FROM changes WHERE ?1 IS NULL OR position < ?1 "
            "ORDER BY position DESC LIMIT ?2",
            before,
            limit,
        )
        return [change_of(line) for line in found]

    def sources(self) -> dict[str, int]:
        """Return the number of present rows of each source."""
        return dict(
            self._ask(
                "SELECT source, count(*) FROM rows WHERE source NOT NULL AND standing > 0 "
                "GROUP BY source"
            )
        )

    def _ask(self, query: str, *values: Any) -> list[Any]:
        with self._reading() as execute:
            found: list[Any] = execute(query, values).fetchall()
        return found

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        try:
            with closing(connect(self.path)) as connection:
                yield connection.execute
        except sqlite3.Error as error:
            if self.path.exists():
                raise
            raise RequestError(404, f"the task {self.path.stem} was deleted") from error


def _row_of(line: Sequence[Any]) -> Row:
    *columns, standing = line
    number, text, has_picture, label, source = columns
    return Row(number, text, bool(has_picture), label, source, standing == Standing.CONFIRMED)


def _stack(packed: Sequence[bytes]) -> Features:
    if not packed:
        return np.empty((0, 0), np.float32)
    return np.stack([unpack(content) for content in packed])
