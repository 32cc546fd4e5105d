"""The files of a task: every change is in the log before it is seen, and erased if it must be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import RLock

from faast.core.atomic_files import remove_leftovers, sync_folder
from faast.core.locking import exclusive
from faast.serve.database import answer_unwritten, remove_database
from faast.serve.problems import RequestError
from faast.serve.tasks.counters import count_change
from faast.serve.tasks.kinds import Kind, new_model
from faast.serve.tasks.log import Log
from faast.serve.tasks.records import Change, Plan
from faast.serve.tasks.relearning import relearned
from faast.serve.tasks.replay import create_log, replay
from faast.serve.tasks.state import TaskState

MODEL_SUFFIX = ".faast"
LOG_SUFFIX = ".faast-log"

SNAPSHOT_CHANGES = 500
"""Number of changes after which the model file is written anew, so that a start replays fewer."""


def create_task(
    folder: Path,
    name: str,
    kind: Kind = "texts",
    encoder: str | None = None,
    keep_rows: bool = True,
) -> None:
    """Write the log of a new task without rows.

    Parameters
    ----------
    folder : Path
    name : str
    kind : {"texts", "pictures", "numbers"}
    encoder : str, optional
        A name for `load_encoder`; by default that of the kind.
    keep_rows : bool
        Whether the log keeps rows as they were given; else only their features and labels.

    Raises
    ------
    FileExistsError
        If there is one of that name.
    RequestError
        If there is no such encoder, or it cannot be loaded.
    """
    if (folder / f"{name}{MODEL_SUFFIX}").exists():
        raise FileExistsError(f"there is a model file {name}{MODEL_SUFFIX}")
    try:
        model = new_model(kind, encoder)
    except (ImportError, OSError, ValueError) as error:
        raise RequestError(422, str(error)) from error
    create_log(folder / f"{name}{LOG_SUFFIX}", TaskState(model), keep_rows)


def delete_files(folder: Path, name: str) -> None:
    """Delete the files of a task that is not open.

    Raises
    ------
    ValueError
        If another process uses them.
    OSError
        If one cannot be deleted.
    """
    model_path = folder / f"{name}{MODEL_SUFFIX}"
    with exclusive(model_path, lambda: _refuse_to_wait(model_path)):
        _remove_files(model_path, folder / f"{name}{LOG_SUFFIX}")


class StoredTask:
    """A model file in a folder, with a log beside it; subclasses plan the changes.

    One thread at a time changes the task. A change is in the log, on the disk, before its method
    returns. Readers use the latest state, which is never changed. Only reviews wait for a writer.

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
            path = self._model_path
            opening.enter_context(exclusive(path, lambda: _refuse_to_wait(path)))
            self._open_log(opening)
            self._closing = opening.pop_all()

    @property
    def state(self) -> TaskState:
        """The latest state."""
        return self._state

    @property
    def started(self) -> str:
        """Time at which the log was started, in UTC, ISO 8601."""
        return self._started

    @property
    def created(self) -> int:
        """Time at which the log was started, in seconds since 1970."""
        return int(datetime.fromisoformat(self._started).timestamp())

    def close(self) -> None:
        """Write the model file, and give the task free for other processes."""
        with self._writing, self._closing:
            if self._log.last().position > self._saved:
                self._snapshot()

    def delete(self) -> None:
        """Delete the model file and the log; if that fails, the task goes on with what is left."""
        with self._changing():
            self._log.close()
            try:
                _remove_files(self._model_path, self._log_path)
            except OSError as error:
                self._open_log(self._closing)
                raise RequestError(
                    507,
                    f"the task could not be deleted ({error}). Allow deleting files in the folder, "
                    "and try again",
                ) from error
            self._deleted = True
            self._closing.close()

    def _open_log(self, opening: ExitStack) -> None:
        if self._model_path.exists() and not self._log_path.exists():
            create_log(self._log_path, TaskState.load(self._model_path), keep_rows=True)
        self._log = Log(self._log_path)
        opening.callback(self._log.close)
        self._started = self._log.history(1, before=1)[0].at
        self._saved, self._state = replay(self._log, self._model_path)
        self._deleted = False
        with suppress(RequestError):  # a full disk must not keep the task from answering
            self._erase()

    def _change(self, plan: Plan, who: str | None) -> Change:
        """Compute the next state, log the change, and only then show the state to readers."""
        with self._changing():
            labels = [step.new.label for step in plan.steps] + [new for _, new in plan.classes]
            names = self._state.new_names({label for label in labels if label is not None})
            try:
                state = self._state.apply(plan.steps, plan.classes, names)
                state = relearned(state, self._log, plan.steps)
            except ValueError as error:
                raise RequestError(422, f"the model refused the change: {error}") from error
            plan = replace(plan, names=names)
            change = self._log.append(plan, self._state.hash, state.hash, who)
            self._state = state
            count_change(self.name, plan.steps)
            if change.position - self._saved >= SNAPSHOT_CHANGES:
                with suppress(OSError):  # the log has everything
                    self._snapshot()
        return change

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._writing:
            if self._deleted:
                raise RequestError(404, f"the task {self.name} was deleted")
            with answer_unwritten():
                yield

    def _snapshot(self) -> None:
        """Write the state to the model file, which from then on is where a replay starts."""
        position = self._log.last().position
        if self._state.can_answer:
            self._state.model.save(self._model_path)
        else:
            remove_leftovers(self._model_path)
            self._model_path.unlink(missing_ok=True)
            sync_folder(self._model_path.parent)
        self._saved = position

    def _erase(self) -> None:
        """Erase what is to be erased, once the model file no longer needs it."""
        if not self._log.is_erasing:
            return
        try:
            self._state = self._state.without_history()
            self._snapshot()
            self._log.erase([*self._state.classes, *self._state.added])
            self._state = self._state.with_classes(self._log.classes(), self._log.names())
        except (sqlite3.Error, OSError) as error:
            raise RequestError(
                507,
                f"the rows are forgotten, but what the log holds of them could not be erased yet "
                f"({error}). Make room on the disk and ask again; the next start does it too",
            ) from error


def _refuse_to_wait(model_path: Path) -> None:
    raise ValueError(
        f"{model_path} is in use by another process, such as another faast serve; stop that one "
        "first"
    )


def _remove_files(model_path: Path, log_path: Path) -> None:
    """Remove the log first: a model file alone is a task, but not a log of rows it never had."""
    remove_database(log_path)
    remove_leftovers(model_path)
    model_path.unlink(missing_ok=True)
    sync_folder(model_path.parent)
