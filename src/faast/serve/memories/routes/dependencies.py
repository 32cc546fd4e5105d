"""What routes are given: the memories, the engine that generates, and the texts to read."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from faast.serve.memories.engine import Engine
from faast.serve.memories.folder import MemoryFolder
from faast.serve.memories.jobs import ReadJobs
from faast.serve.memories.stored import StoredMemory


async def the_folder(request: Request) -> MemoryFolder:
    """Return the memories that the application serves."""
    folder: MemoryFolder = request.app.state.folder
    return folder


async def the_engine(request: Request) -> Engine:
    """Return what generates."""
    engine: Engine = request.app.state.engine
    return engine


async def the_jobs(request: Request) -> ReadJobs:
    """Return what reads texts."""
    jobs: ReadJobs = request.app.state.jobs
    return jobs


Folder = Annotated[MemoryFolder, Depends(the_folder)]
TheEngine = Annotated[Engine, Depends(the_engine)]
TheJobs = Annotated[ReadJobs, Depends(the_jobs)]


async def the_memory(memory: str, folder: Folder) -> StoredMemory:
    """Return the memory that a path names."""
    return folder.memory(memory)


TheMemory = Annotated[StoredMemory, Depends(the_memory)]
