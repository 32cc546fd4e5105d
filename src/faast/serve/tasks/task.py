"""A task: a model that several people teach, with a log from which it can be rebuilt."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import NamedTuple

from faast.core.locking import exclusive
from faast.core.persistence import sync_folder
from faast.serve.problems import RequestError
from faast.serve.tasks.log import Change, Log, Row, Step, remove_log
from faast.serve.tasks.state import TaskState

MODEL_SUFFIX = ".faast"
LOG_SUFFIX = ".faast-log"

SNAPSHOT_CHANGES = 500
"""Number of changes after which the model file is written anew, so that a start replays fewer."""

ENCODER = "encoder"
"""Setting in the log: the name of the encoder of a task without a model file."""


class LogMismatchError(ValueError):
    """Raised when a model file and its log do not belong together; neither is changed."""


class Certificate(NamedTuple):
    """Proof that a source was forgotten: the state before and after, and the number of rows."""

    position: int
    at: str
    rows_forgotten: int
    state_before: str
    state_after: str


class Task:
    """A model file in a folder, with a log beside it.

    One thread at a time changes the task. A change is in the log, on the disk, before its method
    returns. Readers use the latest state, which is never changed, and never wait for a writer.

    Parameters
    ----------
    folder : Path
    name : str
        The model file is NAME.faast, the log NAME.faast-log. A model file without a log is given
        one. At least one of them must exist.

    Raises
    ------
    LogMismatchError
        If the log does not lead from the model file to the state that it says it leads to.
    ValueError
        If a file is damaged, or holds something that cannot be served, or another process uses it.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._model_path = folder / f"{name}{MODEL_SUFFIX}"
        self._log_path = folder / f"{name}{LOG_SUFFIX}"
        self._writing = RLock()
        self._closing = ExitStack()
        with ExitStack() as opening:
            opening.enter_context(exclusive(self._model_path, self._refuse_to_wait))
            self._open_log(opening)
            self._closing = opening.pop_all()

    @classmethod
    def create(cls, folder: Path, name: str, encoder: str) -> Task:
        """Create a task without rows.

        Raises
        ------
        FileExistsError
            If there is one of that name.
        ValueError
            If there is no such encoder, or it is one that cannot be served.
        """
        if (folder / f"{name}{MODEL_SUFFIX}").exists():
            raise FileExistsError(f"there is a model file {name}{MODEL_SUFFIX}")
        path = folder / f"{name}{LOG_SUFFIX}"
        Log.create(path, TaskState.empty(encoder).hash, {ENCODER: encoder}).close()
        return cls(folder, name)

    @property
    def state(self) -> TaskState:
        """The latest state."""
        return self._state

    @property
    def encoder(self) -> str:
        """Name of the encoder."""
        return str(self._state.model.encoder_name)

    @property
    def created(self) -> int:
        """Time at which the log was started, in seconds since 1970."""
        return self._created

    def teach(self, rows: Sequence[tuple[str, str, str | None]]) -> tuple[Change, list[int]]:
        """Learn rows, each a text, a label and a source; return the change and their numbers."""
        return self._change(
            "teach", lambda: [Step(None, text, None, label, source) for text, label, source in rows]
        )

    def correct(self, number: int, label: str) -> Change:
        """Give a row another label, as if it had been taught with it."""

        def steps() -> list[Step]:
            row = self.row(number)
            if row.label == label:
                raise RequestError(409, f"row {number} has the label {label!r} already")
            return [Step(row.id, row.text, row.label, label, row.source)]

        return self._change("correct", steps)[0]

    def forget(self, number: int) -> Change:
        """Forget a row, as if it had never been taught; it stays in the log, for undo."""
        return self._change("forget", lambda: [_forgetting(self.row(number))])[0]

    def forget_source(self, source: str) -> Certificate:
        """Forget all rows of a source, and erase what the log holds of them.

        The model file is written without them before their texts are erased from the log. This
        cannot be undone, and neither can changes before it.
        """
        with self._changing():
            self._erase()
            rows = self._log.rows(source)
            if not rows:
                raise RequestError(
                    404, f"no row has the source {source!r}; see the list of sources"
                )
            before = self._state.hash
            steps = [_forgetting(row) for row in rows]
            change, _ = self._change("forget source", lambda: steps, erase=source)
            self._erase()
        return Certificate(change.position, change.at, len(rows), before, change.state)

    def undo(self) -> Change:
        """Take back the latest change that was not taken back yet."""
        with self._changing():
            undone = self._log.to_undo()
            if undone is None or undone.kind in ("start", "forget source"):
                raise RequestError(409, "there is no change that can be undone")
            steps = [step.inverse() for step in reversed(self._log.steps_of(undone.position))]
            if len(steps) < undone.n_rows:
                raise RequestError(409, "the change cannot be undone: a source in it was forgotten")
            return self._change("undo", lambda: steps, undoes=undone.position)[0]

    def row(self, number: int) -> Row:
        """Return a row by its number; raises a RequestError if there is none."""
        row = self._log.row(number)
        if row is None:
            raise RequestError(404, f"there is no row {number}; list the rows to see their numbers")
        return row

    def rows(
        self, source: str | None = None, after: int = 0, limit: int | None = None
    ) -> list[Row]:
        """Return rows; see `Log.rows`."""
        return self._log.rows(source, after, limit)

    def state_and_rows(self) -> tuple[TaskState, list[Row]]:
        """Return the latest state and its rows, of one moment."""
        with self._writing:
            return self._state, self._log.rows()

    def sources(self) -> dict[str, int]:
        """Return the number of rows of each source."""
        return self._log.sources()

    def history(self, limit: int, before: int | None = None) -> list[Change]:
        """Return changes, the latest first."""
        return self._log.history(limit, before)

    def export(self) -> bytes:
        """Return the content of a model file with the latest state, ready to predict."""
        state = self._state
        if not state.n_rows:
            raise RequestError(409, "there is no model yet; teach a row first")
        state.solve()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.faast"
            state.model.save(path)
            return path.read_bytes()

    def close(self) -> None:
        """Write the model file, and give the task free for other processes."""
        with self._writing, self._closing:
            if self._log.last().position > self._saved:
                self._snapshot()

    def delete(self) -> None:
        """Delete the model file and the log."""
        with self._writing, self._closing:
            self._model_path.unlink(missing_ok=True)
            remove_log(self._log_path)
            sync_folder(self._log_path.parent)
            self._deleted = True

    def _open_log(self, opening: ExitStack) -> None:
        has_model = self._model_path.exists()
        state = TaskState.load(self._model_path) if has_model else None
        if state is not None and not self._log_path.exists():
            Log.create(self._log_path, state.hash, {ENCODER: str(state.model.encoder_name)}).close()
        self._log = Log(self._log_path)
        opening.callback(self._log.close)
        self._created = int(
            datetime.fromisoformat(self._log.history(1, before=1)[0].at).timestamp()
        )
        self._saved, self._state = self._replay(
            TaskState.empty(self._log.settings[ENCODER]) if state is None else state
        )
        self._deleted = False
        with suppress(RequestError):  # a full disk must not keep the task from answering
            self._erase()

    def _replay(self, state: TaskState) -> tuple[int, TaskState]:
        """Return the position of a state, and the state after the changes that follow it."""
        start = self._log.position_of(state.hash)
        if start is None:
            raise LogMismatchError(
                f"{self._model_path} is in no state that {self._log_path.name} knows: it was "
                "changed by another program. Restore the file, or move the log away to start anew "
                "from the file"
            )
        for change in self._log.changes_after(start):
            steps = self._log.steps_of(change.position)
            if len(steps) < change.n_rows:
                raise LogMismatchError(
                    f"{self._model_path} is older than a forgotten source: the log no longer has "
                    "the rows between. Restore the model file and the log of one time together"
                )
            state = state.apply(steps)
        if state.hash != self._log.last().state:
            raise LogMismatchError(
                f"replaying {self._log_path.name} after {self._model_path} does not give the state "
                "that the log names: one of the files was damaged or changed. Restore both from a "
                "backup"
            )
        return start, state

    def _change(
        self,
        kind: str,
        plan: Callable[[], list[Step]],
        *,
        undoes: int | None = None,
        erase: str | None = None,
    ) -> tuple[Change, list[int]]:
        """Compute the next state, log the change, and only then show the state to readers."""
        with self._changing():
            steps = plan()
            try:
                state = self._state.apply(steps)
            except ValueError as error:
                raise RequestError(422, f"the model refused the change: {error}") from error
            change, numbers = self._log.append(kind, steps, state.hash, undoes=undoes, erase=erase)
            self._state = state
            if change.position - self._saved >= SNAPSHOT_CHANGES:
                with suppress(OSError):  # the log has everything
                    self._snapshot()
        return change, numbers

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._writing:
            if self._deleted:
                raise RequestError(404, f"the task {self.name} was deleted")
            try:
                yield
            except (sqlite3.Error, OSError) as error:
                raise RequestError(
                    507,
                    f"the change could not be written ({error}); it is not acknowledged. Make room "
                    f"on the disk or allow writing in the folder, and try again",
                ) from error

    def _snapshot(self) -> None:
        """Write the state to the model file, which from then on is where a replay starts."""
        position = self._log.last().position
        if self._state.n_rows:
            self._state.model.save(self._model_path)
        else:
            self._model_path.unlink(missing_ok=True)
            sync_folder(self._model_path.parent)
        self._saved = position

    def _erase(self) -> None:
        """Erase the texts of forgotten sources, once the model file no longer needs them."""
        if not self._log.erasures():
            return
        try:
            self._snapshot()
            self._log.erase()
        except (sqlite3.Error, OSError) as error:
            raise RequestError(
                507,
                f"the rows are forgotten, but their texts could not be erased yet ({error}). They "
                "will be at the next start, or when a source is forgotten; make room on the disk",
            ) from error

    def _refuse_to_wait(self) -> None:
        raise ValueError(
            f"{self._model_path} is in use by another process, such as another faast serve; stop "
            "that one first"
        )


def _forgetting(row: Row) -> Step:
    return Step(row.id, row.text, row.label, None, row.source)
