"""What routes are given: the folder, a task, and the numbers in an address."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request

from faast.serve.access.scopes import TheClient
from faast.serve.jobs.jobs import Jobs
from faast.serve.problems import RequestError
from faast.serve.tasks.folder import TaskFolder
from faast.serve.tasks.state import TaskState
from faast.serve.tasks.task import Task

PAGE = 1_000
"""Largest number of rows or changes in one answer."""


async def the_folder(request: Request) -> TaskFolder:
    """Return the folder that the application serves."""
    folder: TaskFolder = request.app.state.folder
    return folder


Folder = Annotated[TaskFolder, Depends(the_folder)]


async def the_task(task: str, request: Request) -> Task:
    """Return the task that a path names."""
    return (await the_folder(request)).task(task)


async def the_jobs_if_any(request: Request) -> Jobs | None:
    """Return the jobs of the folder; None if other processes change it."""
    jobs: Jobs | None = request.app.state.jobs
    return jobs


JobsIfAny = Annotated[Jobs | None, Depends(the_jobs_if_any)]


async def the_jobs(jobs: JobsIfAny) -> Jobs:
    """Return the jobs of the folder; raises a RequestError if other processes change it."""
    if jobs is None:
        raise RequestError(
            501, "with --ray no files are taken; upload to faast serve without it, then start it so"
        )
    return jobs


TheJobs = Annotated[Jobs, Depends(the_jobs)]
TheTask = Annotated[Task, Depends(the_task)]
Limit = Annotated[int, Query(ge=1, le=PAGE)]
Position = Annotated[int, Query(ge=0, lt=2**63)]


async def the_name(client: TheClient) -> str | None:
    """Return the name of the token of whoever sends the request; None if none is needed."""
    return None if client is None else client.name


Who = Annotated[str | None, Depends(the_name)]


def taught_state(task: Task) -> TaskState:
    """Return the latest state; raises a RequestError if it has no class to answer with yet."""
    state = task.state
    if not state.can_answer:
        raise RequestError(409, f"the task {task.name} has learned nothing yet; teach a row first")
    return state
