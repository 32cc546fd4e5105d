"""The scope that each route of a server of memories needs, in one table."""

from __future__ import annotations

from faast.serve.access.tokens import Scope

ROUTES: dict[Scope, tuple[str, ...]] = {
    Scope.ASK: (
        "GET /metrics",
        "GET /v1/models",
        "GET /v1/models/{model}",
        "POST /v1/completions",
        "POST /v1/chat/completions",
        "GET /v2/health/live",
        "GET /v2/health/ready",
    ),
}
"""Asking shows nothing of what was read but what the model writes."""

SCOPES = {route: scope for scope, routes in ROUTES.items() for route in routes}
