"""The application: all routes over one folder, as an ASGI application."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from faast.serve.access.limits import RATE
from faast.serve.access.scopes import SCOPES
from faast.serve.access.tokens import TokenFile
from faast.serve.application import Application
from faast.serve.guard import LOOPBACK
from faast.serve.jobs.jobs import Jobs
from faast.serve.metrics import Metrics
from faast.serve.protection import checked_hosts, protect
from faast.serve.routes import (
    ask,
    classes,
    classify,
    evaluation,
    explain,
    history,
    inference,
    jobs,
    label_studio,
    next,
    page,
    rows,
    sources,
    suspects,
    tasks,
    transfer,
    whoami,
)
from faast.serve.tasks.folder import TaskFolder

SUBJECTS = (
    ask,  # the first is found fastest
    tasks,
    rows,
    jobs,
    transfer,
    explain,
    next,
    classes,
    sources,
    history,
    evaluation,
    suspects,
    classify,
    inference,
    label_studio,
    whoami,
    page,
)


def create_app(
    folder: str | os.PathLike[str],
    hosts: Iterable[str] = LOOPBACK,
    rate: float = RATE,
    open_folder: Callable[[Path], TaskFolder] = TaskFolder,
) -> FastAPI:
    """Return the application that serves the tasks of a folder.

    Parameters
    ----------
    folder : path-like
        Created if it is missing. One process at a time serves it.
    hosts : iterable of str
        Host names that requests may be addressed to.
    rate : float
        Requests a second that each token may send; without tokens there is no limit.
    open_folder : callable
        Opens the folder; `faast.serve.on_ray` opens it in another process.

    Returns
    -------
    fastapi.FastAPI
        An ASGI application. Its shutdown writes the model files and gives the folder free; after a
        crash the next start replays the logs.

    Raises
    ------
    ValueError
        If `hosts` are more than this machine, and the folder has no tokens; or its file of tokens
        is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from faast.serve import create_app
    >>> app = create_app(tempfile.mkdtemp())  # uvicorn.run(app)
    """
    folder = Path(folder)
    tokens = TokenFile(folder)
    hosts = checked_hosts(
        hosts, tokens, f"faast serve token create NAME --scope admin --folder {folder}"
    )
    served = open_folder(folder)
    running = Jobs(served) if served.takes_files else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if running is not None:
            running.start()
        yield
        if running is not None:
            running.close()
        served.close()

    app = Application(
        title="faast",
        description="Teach tasks labelled texts, correct and forget them exactly, and ask.",
        lifespan=lifespan,
    )
    app.state.folder = served
    app.state.jobs = running
    app.state.scopes = SCOPES
    for subject in SUBJECTS:
        app.include_router(subject.router)
    metrics = Metrics(served, running)
    protect(app, tokens, hosts, rate, metrics)
    return app
