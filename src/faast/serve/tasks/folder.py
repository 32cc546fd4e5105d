"""The tasks of a folder, by name."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import ClassVar, TypeVar

from faast._utils.names import check_name
from faast.core.atomic_files import sync_folder
from faast.serve.database import remove_orphans
from faast.serve.problems import RequestError
from faast.serve.tasks.kinds import Kind
from faast.serve.tasks.state import TaskState
from faast.serve.tasks.storage import LOG_SUFFIX, MODEL_SUFFIX, create_task, delete_files
from faast.serve.tasks.task import Task

Found = TypeVar("Found")


class TaskFolder:
    """All tasks of a folder. Requests name tasks; only `create` makes a file name of a name.

    Parameters
    ----------
    path : Path
        Created if it is missing.
    open_task : callable
        Opens the task of a name in a folder.

    Attributes
    ----------
    unserved : dict of str to str
        Why files are not served, by their name.
    """

    takes_files: ClassVar = True
    """Whether this process can put uploaded files into the folder."""

    def __init__(self, path: Path, open_task: Callable[[Path, str], Task] = Task) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.unserved: dict[str, str] = {}
        self._open = open_task
        self._changing = Lock()
        self._tasks: dict[str, Task] = {}
        remove_orphans(path, LOG_SUFFIX)
        files = [*path.glob(f"*{MODEL_SUFFIX}"), *path.glob(f"*{LOG_SUFFIX}")]
        for name in sorted({file.stem for file in files}):
            try:
                check_name(name, "task")
                self._tasks[name] = open_task(path, name)
            except OSError as error:
                why = f"{error}; faast serve must be able to write in its folder"
                self.unserved[name] = self._without_path(why)
            except (ValueError, ImportError, sqlite3.Error) as error:
                self.unserved[name] = self._without_path(str(error))

    @property
    def tasks(self) -> list[Task]:
        """All tasks, sorted by name."""
        with self._changing:
            return [task for _, task in sorted(self._tasks.items())]

    def task(self, name: str) -> Task:
        """Return a task by its name; raises a RequestError if there is none."""
        task = self._tasks.get(name)
        if task is None:
            why = self.unserved.get(name)
            raise RequestError(404, f"there is no task {name!r}" + (f": {why}" if why else ""))
        return task

    def create(
        self,
        name: str,
        kind: Kind = "texts",
        encoder: str | None = None,
        keep_rows: bool = True,
    ) -> Task:
        """Create a task; raises a RequestError if the name is taken or the encoder is bad."""
        with self._changing:
            try:
                create_task(self.path, name, kind, encoder, keep_rows)
                task = self._open_new(name)
            except FileExistsError as error:
                raise RequestError(
                    409, f"there is a task {name!r} already; choose another"
                ) from error
            except (OSError, sqlite3.Error, ValueError) as error:
                raise RequestError(507, f"the task could not be written: {error}") from error
            self._tasks[name] = task
            return task

    def adopt(self, name: str, model: Path) -> Task:
        """Take a model file of this folder's disk for a new task.

        Raises
        ------
        RequestError
            If the name is taken, or the file is damaged, forged or cannot be served.
        """
        with self._changing:
            path = self.path / f"{name}{MODEL_SUFFIX}"
            files = path, path.with_suffix(LOG_SUFFIX)  # somebody may have put them there meanwhile
            if name in self._tasks or any(file.exists() for file in files):
                raise RequestError(409, f"there is a task {name!r} already; choose another")
            try:
                TaskState.load(model)
                model.rename(path)
                sync_folder(self.path)
                task = self._tasks[name] = self._open_new(name)
            except (ValueError, ImportError) as error:
                reason = str(error).replace(str(model), "the file")
                raise RequestError(422, f"the model cannot be served: {reason}") from error
            except (OSError, sqlite3.Error) as error:
                raise RequestError(507, f"the task could not be written: {error}") from error
            return task

    def delete(self, name: str) -> None:
        """Delete a task with its files, also one that is not served.

        Raises
        ------
        RequestError
            If there is none, or its files cannot be deleted.
        """
        with self._changing:
            if name not in self.unserved:
                self.task(name).delete()
                del self._tasks[name]
                return
            try:
                delete_files(self.path, name)
            except ValueError as error:
                raise RequestError(409, str(error)) from error
            except OSError as error:
                raise RequestError(507, f"the task could not be deleted: {error}") from error
            del self.unserved[name]

    def _open_new(self, name: str) -> Task:
        """Open a task of files that were just written; remove them if that fails."""
        try:
            return self._open(self.path, name)
        except BaseException:
            with suppress(OSError, ValueError):
                delete_files(self.path, name)
            raise

    def _without_path(self, why: str) -> str:
        """Return a message without the place of the folder, which clients need not know."""
        return why.replace(f"{self.path}{os.sep}", "").replace(str(self.path), "the folder")

    def close(self) -> None:
        """Write all model files, and give the tasks free for other processes."""
        for task in self.tasks:
            with suppress(OSError):  # the log has everything
                task.close()


def look_at(tasks: Iterable[Task], look: Callable[[Task], Found]) -> list[Found]:
    """Return what a function finds in each task; those deleted meanwhile are left out."""
    found = []
    for task in tasks:
        try:
            found.append(look(task))
        except RequestError as error:
            if error.status_code != 404:
                raise
    return found
