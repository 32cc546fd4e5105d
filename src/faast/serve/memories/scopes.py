"""The scope that each route of a server of memories needs, in one table."""

from __future__ import annotations

from faast.serve.access.tokens import Scope

ROUTES: dict[Scope, tuple[str, ...]] = {
    Scope.ASK: (
        "GET /",
        "GET /metrics",
        "GET /v1/models",
        "GET /v1/models/{model:path}",
        "POST /v1/completions",
        "POST /v1/chat/completions",
        "GET /v1/memories",
        "GET /v1/memories/{memory}",
        "GET /v2/health/live",
        "GET /v2/health/ready",
    ),
    Scope.TEACH: (
        "POST /v1/memories/{memory}/read",
        "GET /v1/memories/{memory}/sources",
        "GET /v1/jobs",
        "GET /v1/jobs/{job}",
        "DELETE /v1/jobs/{job}",
    ),
    Scope.ADMIN: (
        "POST /v1/memories",
        "DELETE /v1/memories/{memory}",
        "POST /v1/memories/{memory}/forget-source",
    ),
}
"""Asking shows what memories write, and how large they are; the rest needs more."""

SCOPES = {route: scope for scope, routes in ROUTES.items() for route in routes}
