"""One job: an uploaded file, what is known about it, and the record of it on the disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from threading import Lock
from typing import Literal

from faast.core.atomic_files import sync_folder, write_whole
from faast.serve.jobs.upload import Format

Status = Literal["waiting", "running", "done", "cancelled", "failed"]

ENDED: tuple[Status, ...] = ("done", "cancelled", "failed")

RECORD_SUFFIX = ".json"
UPLOAD_SUFFIX = ".upload"


@dataclass
class Job:
    """An upload that is taught to a task.

    How many rows of the file were taught is not recorded here: the log of the task has it, written
    together with the rows.

    Attributes
    ----------
    id : str
    task : str
    started : str
        When the log of the task was started: a later task of the same name is another one.
    format : {"csv", "jsonl", "zip"}
    source, who : str or None
        Source of rows that name none, and the name of whoever sent the upload.
    created : str
        Time in UTC, ISO 8601.
    status : {"waiting", "running", "done", "cancelled", "failed"}
        "running" is not recorded: after a crash the job waits, and goes on.
    done : int
        Rows of the file that were taught.
    total : int or None
        Rows of the file; None until all of them were read and found to be good.
    detail : str or None
        What went wrong, or has to be known.
    lock : Lock
        Held while a batch is taught, and by whoever ends the job.
    """

    id: str
    task: str
    started: str
    format: Format
    source: str | None
    who: str | None
    created: str
    status: Status = "waiting"
    done: int = 0
    total: int | None = None
    detail: str | None = None
    lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    @property
    def ended(self) -> bool:
        """Whether nothing more will be taught."""
        return self.status in ENDED

    def save(self, folder: Path) -> None:
        """Write the record, atomically and durably; raises an OSError if it cannot be written."""
        record = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "lock"}
        if not self.ended:
            record["status"] = "waiting"
        write_whole(folder / f"{self.id}{RECORD_SUFFIX}", json.dumps(record).encode())

    @classmethod
    def load(cls, path: Path) -> Job:
        """Return the job of a record; raises a ValueError if it is none that this version wrote."""
        try:
            job = cls(**json.loads(path.read_bytes()))
            if job.status not in ("waiting", *ENDED):
                raise ValueError(f"its status is {job.status!r}")
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path} is no record of an upload that this version wrote ({error})"
            ) from error
        return job

    def upload(self, folder: Path) -> Path:
        """Return the path of the uploaded file."""
        return folder / f"{self.id}{UPLOAD_SUFFIX}"

    def remove(self, folder: Path, *, record: bool) -> None:
        """Remove the uploaded file, and the record too if that is wanted."""
        self.upload(folder).unlink(missing_ok=True)
        if record:
            (folder / f"{self.id}{RECORD_SUFFIX}").unlink(missing_ok=True)
        sync_folder(folder)
