"""Uploads of many rows, and the jobs that teach them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from faast.serve.fields import Label
from faast.serve.jobs.job import Job, Status
from faast.serve.jobs.upload import Format
from faast.serve.problems import RESPONSES
from faast.serve.routes.dependencies import TheJobs, TheTask, Who
from faast.serve.routes.history import ChangeAnswer
from faast.serve.routes.receive import BODY, receive_file

router = APIRouter(prefix="/v1", tags=["jobs"], responses=RESPONSES)


class JobAnswer(BaseModel):
    """A job; `total` is null until the whole file was read and every row found to be good."""

    id: str
    task: str
    format: Format
    source: str | None
    created: str
    status: Status
    done: int
    total: int | None
    detail: str | None

    @classmethod
    def of(cls, job: Job) -> JobAnswer:
        """Build from a job."""
        return cls(**{name: getattr(job, name) for name in cls.model_fields})


class JobsAnswer(BaseModel):
    """All jobs that wait or run, and the latest that have ended; the oldest first."""

    jobs: list[JobAnswer]


@router.post("/tasks/{task}/uploads", status_code=202, openapi_extra=BODY)
async def upload(
    task: TheTask,
    jobs: TheJobs,
    request: Request,
    who: Who,
    format: Format,
    source: Annotated[Label | None, Query()] = None,
) -> JobAnswer:
    """Upload a file of rows, with or without labels; a job reads all of it and then teaches it.

    The body is the file. CSV has a line with the names of the columns: text (or picture as base64,
    or numbers in a column each), and label, source and confirmed, which may be missing. JSON lines
    have these as members. A zip archive holds pictures with one folder per class.
    """
    jobs.require_room()
    incoming = jobs.incoming()
    async with receive_file(request, incoming):
        job = await run_in_threadpool(jobs.register, task, incoming, format, source, who)
    return JobAnswer.of(job)


@router.get("/jobs")
def list_jobs(jobs: TheJobs) -> JobsAnswer:
    """List the jobs."""
    return JobsAnswer(jobs=[JobAnswer.of(job) for job in jobs.list()])


@router.get("/jobs/{job}")
def show_job(job: str, jobs: TheJobs) -> JobAnswer:
    """Show how far a job is."""
    return JobAnswer.of(jobs.job(job))


@router.delete("/jobs/{job}")
def cancel_job(job: str, jobs: TheJobs) -> JobAnswer:
    """Cancel a job. The rows that it has taught stay; `undo` forgets them."""
    return JobAnswer.of(jobs.cancel(job))


@router.post("/jobs/{job}/undo")
def undo_job(job: str, jobs: TheJobs, who: Who) -> ChangeAnswer:
    """Forget the rows that a job has taught, in one change, which can be undone as well."""
    return ChangeAnswer.of(jobs.undo(job, who))
