"""Texts are read one after the other, in the order in which they were acknowledged."""

from __future__ import annotations

import sqlite3
from collections import deque
from dataclasses import dataclass, replace
from threading import Condition, Thread
from typing import TYPE_CHECKING

from faast.serve.failures import log_failure
from faast.serve.jobs.job import Status
from faast.serve.memories.log import Read
from faast.serve.memories.stored import Interrupted, StoredMemory
from faast.serve.problems import RequestError

if TYPE_CHECKING:
    from faast.serve.memories.folder import MemoryFolder

MAX_WAITING = 1_000
"""Texts that may wait, so that they cannot fill the disk without end."""

MAX_ENDED = 100
"""Ended jobs of each memory that are shown."""

RETRY_SECONDS = 5.0
"""Seconds until a text whose end could not be written is read again."""


@dataclass(frozen=True)
class ReadJob:
    """The reading of a text.

    Attributes
    ----------
    memory : str
    read : Read
    done : int
        Tokens that were read.
    total : int or None
        All tokens; None until they are counted.
    """

    memory: str
    read: Read
    done: int
    total: int | None

    @property
    def status(self) -> Status:
        """Where it is; a text that waits in the log and has begun is running."""
        begun = self.read.status == "waiting" and self.total is not None
        return "running" if begun else self.read.status


class ReadJobs:
    """Reads the texts of all memories of a folder, in a thread of its own.

    Parameters
    ----------
    folder : MemoryFolder
    """

    def __init__(self, folder: MemoryFolder) -> None:
        self._folder = folder
        self._changed = Condition()
        self._stopping = False
        self._thread = Thread(target=self._run, name="read", daemon=True)
        self._progress: dict[str, tuple[int, int]] = {}
        waiting = [(read.at, name, read.id) for name, read in self._reads(0) if not read.ended]
        self._waiting = deque((name, id) for _, name, id in sorted(waiting))

    def start(self) -> None:
        """Read what was acknowledged before the last stop, and then what comes."""
        self._thread.start()

    def close(self) -> None:
        """Stop within a text, which the next start reads again from its beginning."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def submit(self, memory: str, text: str, source: str | None, who: str | None) -> ReadJob:
        """Acknowledge a text that is to be read; raises a RequestError if it cannot be."""
        stored = self._folder.memory(memory)
        with self._changed:
            if len(self._waiting) >= MAX_WAITING:
                raise RequestError(429, f"{MAX_WAITING} texts wait already; try again later")
            read = stored.add(text, source, who)
            self._waiting.append((memory, read.id))
            self._changed.notify()
        return ReadJob(memory, read, 0, None)

    def all(self) -> list[ReadJob]:
        """Return all jobs that wait or run, and the latest that ended; the oldest first."""
        jobs = [self._job(name, read) for name, read in self._reads(MAX_ENDED)]
        return sorted(jobs, key=lambda job: job.read.at)

    def job(self, id: str) -> ReadJob:
        """Return a job; raises a RequestError if there is none."""
        for memory in self._folder.memories:
            read = memory.read(id)
            if read is not None:
                return self._job(memory.name, read)
        raise RequestError(404, f"there is no job {id!r}; see the list of jobs")

    def cancel(self, id: str) -> ReadJob:
        """End a job; nothing of its text is learned. Raises a RequestError if it has ended."""
        job = self.job(id)
        if not self._folder.memory(job.memory).end(id, "cancelled", None):
            status = self.job(id).status
            raise RequestError(409, f"the job is {status} already; it cannot be cancelled")
        return self.job(id)

    def _reads(self, limit: int) -> list[tuple[str, Read]]:
        return [
            (memory.name, read) for memory in self._folder.memories for read in memory.reads(limit)
        ]

    def _job(self, memory: str, read: Read) -> ReadJob:
        progress = self._progress.get(read.id)
        if read.status == "done" and progress is not None:  # in the log; answers do not know it yet
            read = replace(read, status="waiting")
        elif read.status == "done":
            return ReadJob(memory, read, read.tokens or 0, read.tokens)
        return ReadJob(memory, read, *(progress or (0, None)))

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._waiting or self._stopping):
                    self._changed.wait()
                if self._stopping:
                    return
                name, id = self._waiting[0]
            if self._learn(name, id):
                with self._changed:
                    self._waiting.popleft()
            else:
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, RETRY_SECONDS)
                    # texts of other memories do not wait for this one
                    self._waiting = deque(sorted(self._waiting, key=lambda text: text[0] == name))

    def _learn(self, name: str, id: str) -> bool:
        """Learn a text; return False if it has to be tried again."""

        def told(done: int, total: int) -> None:
            self._progress[id] = done, total
            read = memory.read(id)
            if self._stopping or read is None or read.ended:
                raise Interrupted

        try:
            memory = self._folder.memory(name)
            memory.learn(id, told)
        except Interrupted:
            pass
        except (sqlite3.Error, OSError) as error:
            log_failure(error, f"reading the text {id}")
            return False
        except RequestError:  # the memory was deleted
            pass
        except ValueError as error:
            return self._fail(memory, id, str(error))
        except Exception as error:
            log_failure(error, f"reading the text {id}")
            return self._fail(memory, id, "the server made a mistake; its log says which")
        finally:
            self._progress.pop(id, None)
        return True

    def _fail(self, memory: StoredMemory, id: str, why: str) -> bool:
        """End a text that cannot be read; return False if that could not be written."""
        try:
            memory.end(id, "failed", why)
        except RequestError:
            return False
        return True
