"""Sources: who gave the rows of a task, and forgetting one of them for good."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from pydantic import BaseModel

from faast.serve.fields import Label, Request
from faast.serve.problems import RESPONSES
from faast.serve.routes.dependencies import JobsIfAny, TheTask, Who

router = APIRouter(prefix="/v1/tasks/{task}", tags=["sources"], responses=RESPONSES)


class Source(Request):
    """Whoever gave rows."""

    source: Label


class CertificateAnswer(BaseModel):
    """Proof that a source was forgotten. Keep it confidential.

    Whoever has all other rows can check a guess at a forgotten one by `state_before`.
    """

    position: int
    at: str
    rows_forgotten: int
    state_before: str
    state_after: str


@router.get("/sources")
def list_sources(task: TheTask) -> dict[str, int]:
    """List the sources with their numbers of rows."""
    return task.sources()


@router.post("/forget-source")
def forget_source(task: TheTask, given: Source, who: Who, jobs: JobsIfAny) -> CertificateAnswer:
    """Forget all rows of a source exactly, and erase them from the log. This cannot be undone.

    It is refused while an upload to the task is being taught.
    """
    forget = task.forget_source if jobs is None else partial(jobs.forget_source, task)
    return CertificateAnswer(**forget(given.source, who)._asdict())
