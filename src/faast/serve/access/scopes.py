"""The scope that each route needs, in one table.

Dependencies are coroutines: those that only look something up need no thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from faast.serve.access.tokens import Scope
from faast.serve.page import PAGE_FILES
from faast.serve.problems import RequestError

OPEN = frozenset({"/v2/health/live", "/v2/health/ready", *PAGE_FILES})
"""Paths that need no token: those by which an orchestrator sees that the server is alive, and the
files of the page, which asks for a token itself."""

ROUTES: dict[Scope, tuple[str, ...]] = {
    Scope.ASK: (
        *(f"GET {path}" for path in PAGE_FILES),
        "GET /metrics",
        "GET /v1/whoami",
        "GET /v1/tasks",
        "GET /v1/tasks/{task}",
        "GET /v1/tasks/{task}/classes",
        "POST /v1/tasks/{task}/ask",
        "POST /v1/tasks/{task}/explain",
        "GET /v1/tasks/{task}/evaluation",
        "GET /v1/tasks/{task}/evaluation/curve",
        "POST /v1/classify",
        "GET /v1/models",
        "GET /v2",
        "GET /v2/health/live",
        "GET /v2/health/ready",
        "POST /v2/repository/index",
        "GET /v2/models/{model}",
        "GET /v2/models/{model}/ready",
        "POST /v2/models/{model}/infer",
        "GET /labelstudio/{task}",
        "GET /labelstudio/{task}/health",
        "POST /labelstudio/{task}/setup",
        "POST /labelstudio/{task}/predict",
    ),
    Scope.TEACH: (
        "GET /v1/tasks/{task}/rows",
        "POST /v1/tasks/{task}/rows",
        "GET /v1/tasks/{task}/rows/{row}",
        "GET /v1/tasks/{task}/rows/{row}/picture",
        "PATCH /v1/tasks/{task}/rows/{row}",
        "POST /v1/tasks/{task}/rows/{row}/confirm",
        "GET /v1/tasks/{task}/next",
        "GET /v1/tasks/{task}/suspects",
        "GET /v1/tasks/{task}/evaluation/rows",
        "DELETE /v1/tasks/{task}/rows/{row}",
        "POST /v1/tasks/{task}/classes/add",
        "POST /v1/tasks/{task}/classes/rename",
        "POST /v1/tasks/{task}/classes/merge",
        "POST /v1/tasks/{task}/classes/forget",
        "GET /v1/tasks/{task}/sources",
        "GET /v1/tasks/{task}/history",
        "POST /v1/tasks/{task}/undo",
        "GET /v1/tasks/{task}/model",
        "GET /v1/tasks/{task}/onnx",
        "GET /v1/tasks/{task}/export",
        "POST /v1/tasks/{task}/uploads",
        "GET /v1/jobs",
        "GET /v1/jobs/{job}",
        "DELETE /v1/jobs/{job}",
        "POST /v1/jobs/{job}/undo",
        "POST /labelstudio/{task}/webhook",
    ),
    Scope.ADMIN: (
        "POST /v1/tasks",
        "POST /v1/import",
        "PATCH /v1/tasks/{task}",
        "DELETE /v1/tasks/{task}",
        "POST /v1/tasks/{task}/forget-source",
    ),
}
"""Asking shows no row that somebody taught; teaching can be undone; the rest needs admin."""

SCOPES = {route: scope for scope, routes in ROUTES.items() for route in routes}


@dataclass(frozen=True)
class Client:
    """Who sent a request.

    Attributes
    ----------
    name : str or None
        Name of the token; None where none is needed.
    scope : Scope
    """

    name: str | None
    scope: Scope


LOCAL = Client(None, Scope.ADMIN)
"""A program of this machine, where no tokens were made."""


async def the_client(request: Request) -> Client | None:
    """Return who sent a request; None where a path is open and no token was sent."""
    client: Client | None = request.state.client
    return client


TheClient = Annotated[Client | None, Depends(the_client)]


def may_see_rows(client: Client | None) -> bool:
    """Tell whether a client may see rows that somebody taught."""
    return client is not None and client.scope.includes(Scope.TEACH)


async def authorize(request: Request) -> None:
    """Refuse a client whose scope does not include that of the route.

    The application has a table of scopes; a route that is missing there needs the highest.
    """
    client: Client | None = request.state.client
    if client is None:
        return
    route = f"{request.method} {request.scope['route'].path}"
    needed = request.app.state.scopes.get(route, Scope.ADMIN)
    if not client.scope.includes(needed):
        raise RequestError(
            403,
            f"the token {client.name!r} has the scope {client.scope}, and this needs {needed}; ask "
            f"whoever runs the server for a token: faast serve token create NAME --scope {needed}",
        )
