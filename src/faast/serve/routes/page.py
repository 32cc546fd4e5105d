"""The files of the page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse

from faast.serve.page import MEDIA_TYPES, PAGE_FILES

router = APIRouter(include_in_schema=False)


def _sends(path: Path) -> Callable[[], FileResponse]:
    def send() -> FileResponse:
        return FileResponse(path, media_type=MEDIA_TYPES[path.suffix])

    return send


for address, path in PAGE_FILES.items():
    router.add_api_route(address, _sends(path), response_class=FileResponse)
