"""The application: memories by name over one backbone, as an ASGI application."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from faast.serve.access.limits import RATE
from faast.serve.access.tokens import TokenFile
from faast.serve.application import Application
from faast.serve.guard import LOOPBACK
from faast.serve.memories.backbone import ServedBackbone
from faast.serve.memories.engine import Engine
from faast.serve.memories.errors import OpenAIErrors
from faast.serve.memories.folder import MemoryFolder
from faast.serve.memories.jobs import ReadJobs
from faast.serve.memories.metrics import MemoryMetrics
from faast.serve.memories.routes import (
    chat,
    completions,
    health,
    memories,
    models,
    start,
)
from faast.serve.memories.routes import (
    jobs as job_routes,
)
from faast.serve.memories.scopes import SCOPES
from faast.serve.protection import checked_hosts, protect

SUBJECTS = (models, completions, chat, memories, job_routes, health, start)


def create_memory_app(
    folder: str | os.PathLike[str],
    backbone: ServedBackbone,
    hosts: Iterable[str] = LOOPBACK,
    rate: float = RATE,
) -> FastAPI:
    """Return the application that serves the memories of a folder over one backbone.

    Parameters
    ----------
    folder : path-like
        Created if it is missing. Each folder in it that holds a memory is served by its name.
    backbone : ServedBackbone
        The model that the memories were learned with.
    hosts : iterable of str
        Host names that requests may be addressed to.
    rate : float
        Requests a second that each token may send; without tokens there is no limit.

    Returns
    -------
    fastapi.FastAPI

    Raises
    ------
    ValueError
        If `hosts` are more than this machine, and the folder has no tokens; or its file of tokens
        is damaged.
    """
    folder = Path(folder)
    tokens = TokenFile(folder)
    create = f"faast serve token create NAME --scope admin --folder {folder}"
    hosts = checked_hosts(hosts, tokens, create)
    served = MemoryFolder(folder, backbone)
    engine = Engine(served.attached, backbone.pad, backbone.longest)
    jobs = ReadJobs(served)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine.start()
        jobs.start()
        yield
        jobs.close()
        engine.close()
        served.close()

    app = Application(
        title="faast memories",
        description="Let memories of a language model read texts, and generate with them.",
        lifespan=lifespan,
    )
    app.state.folder = served
    app.state.engine = engine
    app.state.jobs = jobs
    app.state.scopes = SCOPES
    for subject in SUBJECTS:
        app.include_router(subject.router)
    protect(app, tokens, hosts, rate, MemoryMetrics(served, engine, jobs), OpenAIErrors)
    return app
