"""The application: all routes over one folder, as an ASGI application."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from faast._version import __version__
from faast.serve.access.limits import RATE
from faast.serve.access.scopes import authorize
from faast.serve.access.tokens import TokenFile
from faast.serve.document import Application
from faast.serve.failures import AnswerFailures
from faast.serve.guard import LOOPBACK, Guard
from faast.serve.jobs.jobs import Jobs
from faast.serve.metrics import CountRequests, Metrics
from faast.serve.problems import RESPONSES, RequestError, problem_response
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
    tokens = TokenFile(Path(folder))
    hosts = frozenset(hosts)
    if not tokens.tokens and hosts - set(LOOPBACK):
        raise ValueError(
            "other machines could teach and delete tasks, for there is no token yet; make one: "
            f"faast serve token create NAME --scope admin --folder {folder}"
        )
    served = open_folder(Path(folder))
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
        version=__version__,
        description="Teach tasks labelled texts, correct and forget them exactly, and ask.",
        docs_url=None,  # they load scripts from another site
        redoc_url=None,
        redirect_slashes=False,  # an address with a slash too many names nothing
        lifespan=lifespan,
        dependencies=[Depends(authorize)],
    )
    app.state.folder = served
    app.state.jobs = running
    for subject in SUBJECTS:
        app.include_router(subject.router)
    metrics = Metrics(served, running)
    app.add_api_route(
        "/metrics", _shows(metrics), tags=["metrics"], response_class=Response, responses=RESPONSES
    )
    app.add_middleware(Guard, hosts=hosts, tokens=tokens, rate=rate)
    app.add_middleware(AnswerFailures)
    app.add_middleware(CountRequests, metrics=metrics)  # the last added is the outermost
    for kind, handler in {
        RequestError: _problem,
        RequestValidationError: _invalid,
        HTTPException: _refused,
        sqlite3.Error: _unreadable,
    }.items():
        app.add_exception_handler(kind, handler)
    return app


def _shows(metrics: Metrics) -> Any:
    def show() -> Response:
        """Show metrics in Prometheus' text format."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return show


def _problem(request: Request, error: Any) -> JSONResponse:
    return problem_response(error)


def _invalid(request: Request, error: Any) -> JSONResponse:
    """Say what is wrong with a request, without repeating what it held."""
    errors = [
        {"at": "/".join(map(str, found["loc"])), "message": found["msg"]}
        for found in error.errors()
    ]
    first = f"{errors[0]['at']}: {errors[0]['message']}"
    return problem_response(
        RequestError(422, f"the request was not understood; {first}", errors=errors)
    )


def _refused(request: Request, error: Any) -> JSONResponse:
    detail = f"{request.method} {request.url.path}: {error.detail}; /openapi.json lists all routes"
    return problem_response(RequestError(error.status_code, detail))


def _unreadable(request: Request, error: Any) -> JSONResponse:
    detail = f"the log of the task cannot be read ({error}); was the task deleted?"
    return problem_response(RequestError(503, detail))
