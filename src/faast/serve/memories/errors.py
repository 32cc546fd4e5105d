"""Errors in the shape of OpenAI's API, on the routes that have its shape."""

from __future__ import annotations

import json
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from faast.serve.problems import MEDIA_TYPE

OWN_PATHS = ("/v1/memories", "/v1/jobs")
"""Routes that OpenAI's API does not have; whatever else is below /v1 is taken for a part of it."""

KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
"""Types of errors by status; others are errors of the request or of the server."""


def error_of(problem: dict[str, Any]) -> dict[str, Any]:
    """Return a problem as the `error` of an answer."""
    status = problem["status"]
    kind = KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    places = [found["at"].split("/") for found in problem.get("errors", ())]
    named = next((place[1] for place in places if len(place) > 1), None)
    return {
        "message": problem["detail"],
        "type": kind,
        "param": problem.get("param", named),
        "code": problem.get("code"),
    }


def has_their_shape(path: str) -> bool:
    """Return whether errors of a path have the shape of OpenAI's API."""
    return path.startswith("/v1/") and not path.startswith(OWN_PATHS)


class OpenAIErrors:
    """ASGI middleware that answers problems of some paths as OpenAI's API does."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or not has_their_shape(scope["path"]):
            await self.app(scope, receive, send)
            return
        started: Message | None = None
        content = b""

        async def send_in_shape(message: Message) -> None:
            nonlocal started, content
            if message["type"] == "http.response.start":
                if Headers(scope=message).get("content-type") == MEDIA_TYPE:
                    started = message
                    return
            elif started is not None:
                content += message.get("body", b"")
                if not message.get("more_body", False):
                    await _answer(started, json.loads(content))(scope, receive, send)
                return
            await send(message)

        await self.app(scope, receive, send_in_shape)


def _answer(started: Message, problem: dict[str, Any]) -> JSONResponse:
    """Return the answer for a problem, with the headers that it had."""
    headers = {
        name: value
        for name, value in Headers(scope=started).items()
        if name not in ("content-type", "content-length")
    }
    status = 400 if problem["status"] == 422 else problem["status"]
    return JSONResponse({"error": error_of(problem)}, status, headers)
