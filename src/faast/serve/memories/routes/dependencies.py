"""What routes are given: the memories, and the engine that generates."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from faast.serve.memories.engine import Engine
from faast.serve.memories.folder import MemoryFolder


async def the_folder(request: Request) -> MemoryFolder:
    """Return the memories that the application serves."""
    folder: MemoryFolder = request.app.state.folder
    return folder


async def the_engine(request: Request) -> Engine:
    """Return what generates."""
    engine: Engine = request.app.state.engine
    return engine


Folder = Annotated[MemoryFolder, Depends(the_folder)]
TheEngine = Annotated[Engine, Depends(the_engine)]
