"""The memories of a folder, by name."""

from __future__ import annotations

import os
import sqlite3
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from faast._utils.names import check_name
from faast.core.locking import exclusive
from faast.lm.folders import LOG_SUFFIX, MEMORY_FILE, SERVED
from faast.serve.database import remove_orphans
from faast.serve.memories.attached import AttachedMemories
from faast.serve.memories.log import create_log
from faast.serve.memories.stored import StoredMemory
from faast.serve.problems import RequestError

if TYPE_CHECKING:
    from faast.lm import MemoryConfig
    from faast.serve.memories.backbone import ServedBackbone


class MemoryFolder:
    """All memories of a folder, over one backbone.

    Parameters
    ----------
    path : Path
        Created if it is missing. Every folder in it that holds a memory is served by its name, and
        so is every log of one. One process at a time serves it.
    backbone : ServedBackbone

    Attributes
    ----------
    attached : AttachedMemories
    unserved : dict of str to str
        Why folders are not served, by their name.
    """

    def __init__(self, path: Path, backbone: ServedBackbone) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.backbone = backbone
        self.attached = AttachedMemories(backbone.model)
        self.unserved: dict[str, str] = {}
        self._changing = Lock()
        self._memories: dict[str, StoredMemory] = {}
        with ExitStack() as opening:
            opening.enter_context(exclusive(path / SERVED, self._refuse_to_wait))
            remove_orphans(path, LOG_SUFFIX)
            folders = {file.parent.name for file in path.glob(f"*/{MEMORY_FILE}")}
            logs = {file.stem for file in path.glob(f"*{LOG_SUFFIX}")}
            for name in sorted(folders | logs):
                try:
                    self._require_name(name)
                    with exclusive(path / name, self._refuse_a_command):
                        self._open(name)
                except (OSError, ValueError, ImportError, sqlite3.Error) as error:
                    why = str(error).replace(f"{path}{os.sep}", "")
                    self.unserved[name] = why.replace(str(path), "the folder")
            self._closing = opening.pop_all()

    @property
    def memories(self) -> list[StoredMemory]:
        """All memories, sorted by name."""
        with self._changing:
            return [memory for _, memory in sorted(self._memories.items())]

    def memory(self, name: str) -> StoredMemory:
        """Return a memory by its name; raises a RequestError if there is none."""
        memory = self._memories.get(name)
        if memory is None:
            why = self.unserved.get(name)
            raise RequestError(404, f"there is no memory {name!r}" + (f": {why}" if why else ""))
        return memory

    def create(self, name: str, config: MemoryConfig) -> StoredMemory:
        """Make a memory that has learned nothing.

        Raises
        ------
        RequestError
            The name is taken or is none, the backbone cannot carry such a memory, or it cannot be
            written.
        """
        with self._changing:
            try:
                self._require_name(name)
            except ValueError as error:
                raise RequestError(422, str(error)) from error
            if name in self._memories or (self.path / name).exists():
                raise RequestError(
                    409, f"there is a memory or a file {name!r}; choose another name"
                )
            try:
                self.attached.create(name, config)
            except ValueError as error:
                raise RequestError(422, str(error)) from error
            state = self.attached.describe(name).state
            self.attached.remove(name)
            try:
                create_log(self.path / f"{name}{LOG_SUFFIX}", config, state)
                return self._open(name)
            except FileExistsError as error:
                raise RequestError(409, f"{error}; choose another name") from error
            except (OSError, sqlite3.Error) as error:
                raise RequestError(507, f"the memory could not be written: {error}") from error

    def delete(self, name: str) -> None:
        """Delete a memory with its files; raises a RequestError if it cannot be deleted now."""
        with self._changing:
            self.memory(name).delete()
            del self._memories[name]

    def close(self) -> None:
        """Write the memories that changed, and release the folder for other processes."""
        with self._closing:
            for memory in self.memories:
                memory.close()

    def find(self, model: str) -> str | None:
        """Return the memory that a request names as its model; None for the backbone alone.

        Raises
        ------
        RequestError
            There is neither.
        """
        if model == self.backbone.id:
            return None
        if model not in self.attached:
            why = self.unserved.get(model, "GET /v1/models lists the memories and the backbone")
            raise RequestError(
                404,
                f"there is no model {model!r}; {why}",
                param="model",
                code="model_not_found",
            )
        return model

    def _open(self, name: str) -> StoredMemory:
        self._memories[name] = StoredMemory(self.path, name, self.attached, self.backbone)
        return self._memories[name]

    def _refuse_to_wait(self) -> None:
        raise ValueError(
            f"{self.path} is in use by another process, such as another faast lm serve; stop that "
            "one first"
        )

    def _refuse_a_command(self) -> None:
        raise ValueError("a command is changing it; start the server again when that has ended")

    def _require_name(self, name: str) -> None:
        check_name(name, "memory")
        if name == self.backbone.id:
            raise ValueError("the backbone has this name; rename the memory")
