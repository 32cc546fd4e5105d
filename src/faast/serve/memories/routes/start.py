"""The first address of a server of memories: what it is, and where everything else is."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from faast._version import __version__
from faast.serve.access.scopes import OPEN
from faast.serve.memories.scopes import ROUTES
from faast.serve.problems import RESPONSES

router = APIRouter(tags=["start"], responses=RESPONSES)


NEEDS_NO_TOKEN = [
    route for routes in ROUTES.values() for route in routes if route.split()[1] in OPEN
]
ROUTES_BY_SCOPE = {"none": NEEDS_NO_TOKEN} | {
    scope.value: [route for route in routes if route not in NEEDS_NO_TOKEN]
    for scope, routes in ROUTES.items()
}


class StartAnswer(BaseModel):
    """What this server is, and its routes by the scope that each needs where there are tokens."""

    name: str = "faast memories"
    version: str = __version__
    openai_base_url: str = "/v1"
    memories: str = "/v1/memories"
    documentation: str = "/openapi.json"
    routes: dict[str, list[str]] = ROUTES_BY_SCOPE


@router.get("/")
def show_start() -> StartAnswer:
    """Say what this server is and list its routes; this needs no token, so it names no memory."""
    return StartAnswer()
