"""The reading of texts: how far it is, and its end."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from faast.serve.jobs.job import Status
from faast.serve.memories.jobs import ReadJob
from faast.serve.memories.routes.dependencies import TheJobs
from faast.serve.problems import RESPONSES

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=RESPONSES)


class JobAnswer(BaseModel):
    """A job: `done` of `total` tokens; `total` is null until they are counted."""

    id: str
    memory: str
    source: str | None
    created: str
    status: Status
    done: int
    total: int | None
    detail: str | None

    @classmethod
    def of(cls, job: ReadJob) -> JobAnswer:
        """Build from a job."""
        read = job.read
        return cls(
            id=read.id,
            memory=job.memory,
            source=read.source,
            created=read.at,
            status=job.status,
            done=job.done,
            total=job.total,
            detail=read.detail,
        )


class JobsAnswer(BaseModel):
    """All jobs that wait or run, and the latest that have ended; the oldest first."""

    jobs: list[JobAnswer]


@router.get("")
def list_jobs(jobs: TheJobs) -> JobsAnswer:
    """List the jobs."""
    return JobsAnswer(jobs=[JobAnswer.of(job) for job in jobs.all()])


@router.get("/{job}")
def show_job(job: str, jobs: TheJobs) -> JobAnswer:
    """Show how far a job is."""
    return JobAnswer.of(jobs.job(job))


@router.delete("/{job}")
def cancel_job(job: str, jobs: TheJobs) -> JobAnswer:
    """Cancel a job. Nothing of its text is learned, and the text is erased."""
    return JobAnswer.of(jobs.cancel(job))
