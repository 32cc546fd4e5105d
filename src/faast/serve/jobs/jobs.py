"""All jobs of a folder: they are registered on the disk, run in threads, and go on after a crash.

A batch of rows is taught in one transaction of the task's log together with the number of rows of
the file that have been read up to it. So whenever the process dies, the log says exactly where the
job goes on, and no row is taught twice or left out.
"""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock

from faast.core.atomic_files import sync_folder
from faast.data import DataError
from faast.serve.failures import LOG, log_failure
from faast.serve.jobs.job import RECORD_SUFFIX, UPLOAD_SUFFIX, Job, Status
from faast.serve.jobs.upload import Format, Upload
from faast.serve.problems import RequestError
from faast.serve.tasks.folder import TaskFolder
from faast.serve.tasks.records import Batch, Certificate, Change
from faast.serve.tasks.task import Task

FOLDER = "jobs"
"""Folder inside that of the tasks; no task has files of this kind."""

AT_ONCE = 2
"""Jobs that run at once."""

MAX_WAITING = 100
"""Jobs that may wait or run, so that uploads cannot fill the disk without end."""

MAX_ENDED = 100
"""Ended jobs that are remembered."""

RETRY_SECONDS = 5.0
"""Seconds until a batch that could not be written is tried again."""

INCOMING_SUFFIX = ".incoming"


class Jobs:
    """The jobs of a folder of tasks.

    Parameters
    ----------
    tasks : TaskFolder
    """

    def __init__(self, tasks: TaskFolder) -> None:
        self._tasks = tasks
        self.path = tasks.path / FOLDER
        self._changing = Lock()
        self._registering = Lock()
        self._stopping = Event()
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="job")
        records: list[Job] = []
        self._unread: set[Path] = set()
        for path in self.path.glob(f"*{RECORD_SUFFIX}"):
            try:
                records.append(Job.load(path))
            except (ValueError, OSError) as error:
                LOG.warning("%s; the upload is left where it is", error)
                self._unread.add(path.with_suffix(UPLOAD_SUFFIX))
        self._jobs = {job.id: job for job in sorted(records, key=lambda job: job.created)}

    def start(self) -> None:
        """Go on with all jobs that have not ended, and remove what a crash left behind."""
        known = {job.upload(self.path) for job in self._jobs.values() if not job.ended}
        for suffix in (UPLOAD_SUFFIX, INCOMING_SUFFIX):
            for path in set(self.path.glob(f"*{suffix}")) - known - self._unread:
                path.unlink()
        for job in self._jobs.values():
            if not job.ended:
                self._threads.submit(self._run, job)

    def close(self) -> None:
        """Stop after the batches that are being taught; the next start goes on."""
        self._stopping.set()
        self._threads.shutdown(cancel_futures=True)

    def incoming(self) -> Path:
        """Return a path for a file that is about to come."""
        if not self.path.exists():
            self.path.mkdir(exist_ok=True)
            sync_folder(self.path.parent)
        return self.path / f"{secrets.token_hex(8)}{INCOMING_SUFFIX}"

    def require_room(self) -> None:
        """Raise a RequestError if too many jobs wait."""
        if sum(not job.ended for job in self.list()) >= MAX_WAITING:
            raise RequestError(
                429, f"{MAX_WAITING} uploads wait or are being taught; wait until one has ended"
            )

    def register(
        self, task: Task, incoming: Path, format: Format, source: str | None, who: str | None
    ) -> Job:
        """Take a complete file for a job, which from now on survives a crash; see `Job`.

        Raises
        ------
        OSError
            If it cannot be written; then there is no job.
        """
        job = Job(
            id=incoming.stem,
            task=task.name,
            started=task.started,
            format=format,
            source=source,
            who=who,
            created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        _sync(incoming)
        incoming.rename(job.upload(self.path))
        try:
            job.save(self.path)
        except OSError:
            job.remove(self.path, record=True)
            raise
        with self._registering, self._changing:
            self._jobs[job.id] = job
        self._threads.submit(self._run, job)
        return job

    def list(self) -> list[Job]:
        """Return all jobs, the oldest first."""
        with self._changing:
            return list(self._jobs.values())

    def job(self, number: str) -> Job:
        """Return a job; raises a RequestError if there is none."""
        job = self._jobs.get(number)
        if job is None:
            raise RequestError(404, f"there is no job {number!r}; see the list of jobs")
        return job

    def cancel(self, number: str) -> Job:
        """End a job after the batch that is being taught; what was taught stays."""
        job = self.job(number)
        with job.lock:
            if job.ended:
                raise RequestError(409, f"the job is {job.status} already; it cannot be cancelled")
            try:
                self._end(
                    job, "cancelled", f"{job.done} rows were taught and stay; undo forgets them"
                )
            except OSError as error:
                raise RequestError(
                    507, f"the job goes on: its end could not be written ({error}); make room"
                ) from error
        return job

    def undo(self, number: str, who: str | None) -> Change:
        """Forget all rows that a job taught, in one change, which can be undone."""
        job = self.job(number)
        if not job.ended:
            raise RequestError(409, "the job is not at its end; cancel it first")
        return self._task(job).forget_upload(job.id, who)

    def forget_source(self, task: Task, source: str, who: str | None) -> Certificate:
        """Forget a source of a task, in the records of its jobs too; see `Task.forget_source`.

        Raises a RequestError if an upload to the task is not at its end: it may hold more rows.
        """
        with self._registering:
            jobs = [job for job in self.list() if job.task == task.name]
            if not all(job.ended for job in jobs):
                raise RequestError(
                    409,
                    "an upload to this task is not at its end and may hold rows of the source; "
                    "wait until it is, or cancel it",
                )
            try:
                for job in jobs:
                    self._forget_source(job, source)
            except OSError as error:
                raise RequestError(
                    507, f"the record of an upload could not be written ({error}); make room"
                ) from error
            return task.forget_source(source, who)

    def _forget_source(self, job: Job, source: str) -> None:
        """Erase a source, and what may repeat one of its rows, from the record of an ended job."""
        if job.source == source:
            job.source = None
        if job.status == "failed":
            job.detail = "a source was forgotten, so what went wrong is no longer known"
        job.save(self.path)
        job.remove(self.path, record=False)

    def _task(self, job: Job) -> Task:
        task = self._tasks.task(job.task)
        if task.started != job.started:
            raise RequestError(404, f"the task {job.task} of this job was deleted")
        return task

    def _run(self, job: Job) -> None:
        """Check the whole file, so that a bad one changes nothing; then teach it."""
        if not self._begin(job):
            return
        try:
            task = self._task(job)
            job.done = task.taught_by(job.id)
            upload = Upload(job.upload(self.path), job.format, task.kind, job.source, task.columns)
            if job.total is None:
                total = upload.check(lambda: not (job.ended or self._stopping.is_set()))
                with job.lock:
                    if job.ended or self._stopping.is_set():
                        return
                    job.total = total
                    job.save(self.path)
            if self._teach(job, task, upload):
                others = f"left out: {upload.left_out} files that are no pictures"
                self._settle(job, "done", others if upload.left_out else None)
        except (RequestError, DataError, OSError) as error:
            self._settle(job, "failed", str(error))
        except Exception as error:
            log_failure(error, f"teaching the upload {job.id}")
            self._settle(job, "failed", "the server made a mistake; its log says which")

    def _begin(self, job: Job) -> bool:
        """Return whether a job runs from now on; not if it was cancelled while it waited."""
        with job.lock:
            if job.ended:
                return False
            job.status = "running"
            return True

    def _teach(self, job: Job, task: Task, upload: Upload) -> bool:
        """Teach what is left of a file; return whether all of it was taught."""
        for rows, upto in upload.batches(after=job.done):
            while True:
                with job.lock:
                    if job.ended or self._stopping.is_set():
                        return False
                    try:
                        task.teach(rows, job.who, Batch(job.id, upto, upload.columns))
                    except RequestError as error:
                        if error.status_code != 507:
                            raise
                        job.detail = str(error)
                    else:
                        job.done, job.detail = upto, None
                        break
                self._stopping.wait(RETRY_SECONDS)
        return True

    def _settle(self, job: Job, status: Status, detail: str | None) -> None:
        """End a job that came to its end by itself."""
        with job.lock:
            if job.ended:
                return
            if status == "failed" and job.done:
                detail = f"{detail}; {job.done} rows were taught before"
            try:
                self._end(job, status, detail)
            except OSError:  # the next start reads in the log that it is at its end
                job.status, job.detail = status, detail

    def _end(self, job: Job, status: Status, detail: str | None) -> None:
        """End a job, on the disk first; its lock must be held."""
        replace(job, status=status, detail=detail).save(self.path)
        job.remove(self.path, record=False)
        job.detail, job.status = detail, status
        with self._changing:
            ended = [other for other in self._jobs.values() if other.ended]
            for other in ended[:-MAX_ENDED]:
                other.remove(self.path, record=True)
                del self._jobs[other.id]


def _sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
