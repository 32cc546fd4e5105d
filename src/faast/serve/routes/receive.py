"""Bodies that are written to the disk as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from faast.serve.problems import RequestError

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
"""Such a body in the OpenAPI document."""

BUFFER = 2**20
"""Bytes that are written at once."""


@asynccontextmanager
async def receive_file(request: Request, path: Path) -> AsyncIterator[None]:
    """Write the body of a request to a file, which is removed unless the block takes it away.

    Raises
    ------
    RequestError
        If the disk is full, or the body breaks off.
    """
    try:
        file = await run_in_threadpool(path.open, "wb")
        buffer = bytearray()
        try:
            async for part in request.stream():
                buffer += part
                if len(buffer) >= BUFFER:
                    await run_in_threadpool(file.write, bytes(buffer))
                    buffer.clear()
            await run_in_threadpool(file.write, bytes(buffer))
        finally:
            await run_in_threadpool(file.close)
        yield
    except ClientDisconnect as error:
        raise RequestError(400, "the body broke off; nothing was changed") from error
    except OSError as error:
        raise RequestError(
            507, f"the file could not be written ({error}); make room on the disk"
        ) from error
    finally:
        path.unlink(missing_ok=True)
