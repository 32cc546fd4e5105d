"""Tasks and folders that live in actors, used like those of this process."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from faast.serve.problems import RequestError
from faast.serve.tasks.folder import TaskFolder
from faast.serve.tasks.state import TaskState
from faast.serve.tasks.task import Task

Copies = dict[str, tuple[str, TaskState]]
"""The latest state of tasks that this process has a copy of, by name, with what it is known by."""


class RemoteTask:
    """A `Task` in an actor: its attributes are read there, its methods run there.

    The latest state is copied here when it is asked for, unless the copy is the latest already. If
    the actor has died, reading waits until it is back. A change is not repeated then, since nobody
    knows whether it was saved: it fails with a RequestError that says so.

    Parameters
    ----------
    name : str
    find_actor : callable
        Returns the handle of the TaskActor; called once, when it is needed.
    copies : dict
        Where copies of states are kept.
    """

    is_remote = True

    def __init__(self, name: str, find_actor: Callable[[], Any], copies: Copies) -> None:
        self.name = name
        self._find_actor = find_actor
        self._copies = copies

    @cached_property
    def actor(self) -> Any:
        """Handle of the TaskActor."""
        return self._find_actor()

    @property
    def state(self) -> TaskState:
        """The latest state."""
        key, state = self._copies.get(self.name, (None, None))
        shared = get(self.actor.state.options(max_task_retries=-1).remote(key))
        if shared is not None:
            state = ray.get(shared.reference)
            self._copies[self.name] = shared.key, state
        assert state is not None
        return state

    def close(self) -> None:
        """Write the model file, and stop the actor."""
        get(self.actor.call.remote("close"))
        ray.kill(self.actor)

    def delete(self) -> None:
        """Delete the model file and the log, and stop the actor."""
        get(self.actor.call.remote("delete"))
        ray.kill(self.actor)

    def __getattr__(self, name: str) -> Any:
        _require_public(name)
        return _forward(self.actor, Task, name)


class RemoteFolder:
    """A `TaskFolder` in an actor: its attributes are read there, its methods run there.

    Parameters
    ----------
    actor : handle of a FolderActor
    """

    takes_files = False

    def __init__(self, actor: Any) -> None:
        self._actor = actor
        self._copies: Copies = {}

    @property
    def tasks(self) -> list[RemoteTask]:
        """All tasks, sorted by name."""
        return [self.task(name) for name in get(self._actor.names.remote())]

    def task(self, name: str) -> RemoteTask:
        """Return a task; using it raises a RequestError if there is none of that name."""
        return RemoteTask(name, lambda: get(self._actor.actor_of.remote(name)), self._copies)

    def create(self, name: str, *args: Any) -> RemoteTask:
        """Create a task; raises a RequestError if the name is taken or the encoder is bad."""
        get(self._actor.call.remote("create", name, *args))
        return self.task(name)

    def close(self) -> None:
        """Leave the folder open, since others use it; see `stop`."""

    def stop(self) -> None:
        """Write all model files, and stop the actors of the folder and of its tasks."""
        get(self._actor.call.remote("close"))
        ray.kill(self._actor)

    def __getattr__(self, name: str) -> Any:
        _require_public(name)
        return _forward(self._actor, TaskFolder, name)


def get(reference: Any) -> Any:
    """Return what an actor answers, or raise what it raised."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        raise error.cause from None
    except RayActorError as error:
        raise RequestError(
            503,
            "the process of this task died, and is being started again. Whether a change was saved "
            "is not known: look at the history, and repeat it if it is not there",
        ) from error


def _require_public(name: str) -> None:
    """Raise an AttributeError if an attribute is none of those that actors are asked for."""
    if name.startswith("_"):
        raise AttributeError(name)


def _forward(actor: Any, kind: type, name: str) -> Any:
    """Return an attribute of the object that an actor has, or a method that runs there.

    Ray repeats what reads if the actor dies meanwhile. Methods that change a task take `who`.
    """
    member = getattr(kind, name, None)
    changes = callable(member) and "who" in inspect.signature(member).parameters
    call = actor.call if changes else actor.call.options(max_task_retries=-1)

    def run(*args: Any, **options: Any) -> Any:
        return get(call.remote(name, *args, **options))

    return run if callable(member) else run()
