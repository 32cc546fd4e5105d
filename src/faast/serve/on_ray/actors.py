"""Actors that own tasks: one a task, so that tasks are changed in parallel, and one for the folder.

Ray starts an actor that died again. It replays its log, which has all that was acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, cast
from uuid import uuid4

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from faast.serve.on_ray.remote import RemoteFolder, RemoteTask, get
from faast.serve.tasks.folder import TaskFolder
from faast.serve.tasks.state import TaskState
from faast.serve.tasks.task import Task

OPTIONS: dict[str, Any] = {
    "namespace": "faast",
    "get_if_exists": True,
    "lifetime": "detached",
    "max_restarts": -1,
    "max_concurrency": 16,
    "num_cpus": 0,
}
"""Options of all actors: they are found by their names, and live until the folder is closed."""


class SharedState(NamedTuple):
    """A solved state in Ray's object store.

    Attributes
    ----------
    key : str
        What the state is known by.
    reference : ray.ObjectRef
    """

    key: str
    reference: Any


class TaskActor:
    """The only process that opens a task.

    Parameters
    ----------
    folder : Path
    name : str
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._place = folder, name
        self._lock = Lock()
        self._opened: Task | None = None
        self._latest: tuple[TaskState, SharedState] | None = None

    def call(self, name: str, *args: Any, **options: Any) -> Any:
        """Return an attribute of the task, or what one of its methods returns."""
        found = getattr(self._task(), name)
        result = found(*args, **options) if callable(found) else found
        return list(result) if isinstance(result, Iterator) else result

    def state(self, known: str | None) -> SharedState | None:
        """Return the latest state; None if it is the one that is known already."""
        state = self._task().state
        with self._lock:
            if self._latest is None or self._latest[0] is not state:
                if state.can_answer:
                    state.solve()
                self._latest = state, SharedState(uuid4().hex, ray.put(state))
            shared = self._latest[1]
        return None if shared.key == known else shared

    def _task(self) -> Task:
        with self._lock:
            if self._opened is None:
                self._opened = Task(*self._place)
            return self._opened


class FolderActor:
    """The only process that opens a folder; each of its tasks has an actor.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._folder = TaskFolder(path, open_task=start_task)

    def call(self, name: str, *args: Any) -> Any:
        """Return an attribute of the folder, or what one of its methods returns."""
        found = getattr(self._folder, name)
        if not callable(found):
            return found
        found(*args)
        return None

    def names(self) -> list[str]:
        """Return the names of all tasks, sorted."""
        return [task.name for task in self._folder.tasks]

    def actor_of(self, name: str) -> Any:
        """Return the handle of the actor of a task; raises a RequestError if there is none."""
        return cast(RemoteTask, self._folder.task(name)).actor


def start_folder(path: Path) -> RemoteFolder:
    """Start the actor of a folder, on this machine, unless it runs; return the folder."""
    folder = RemoteFolder(_start(FolderActor, f"folder {path}", path))
    _ = folder.unserved  # waits until all tasks are replayed
    return folder


def start_task(folder: Path, name: str) -> Task:
    """Start the actor of a task, on this machine, unless it runs; return the task."""
    actor = _start(TaskActor, f"task {folder / name}", folder, name)
    get(actor.call.remote("name"))
    return cast(Task, RemoteTask(name, lambda: actor, {}))


def _start(kind: type, name: str, *args: Any) -> Any:
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return ray.remote(kind).options(name=name, scheduling_strategy=here, **OPTIONS).remote(*args)
