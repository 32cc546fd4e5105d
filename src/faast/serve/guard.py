"""What a request must satisfy before a route sees it: its host, its origin and its size."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from faast.serve.problems import MEDIA_TYPE, RequestError

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names by which this machine calls itself."""

MAX_BODY = 8 * 2**20
"""Bytes that the body of a request may have."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Sent with every answer: the page runs its own script only, and no other site may show it."""


class Guard:
    """ASGI middleware that refuses foreign hosts, foreign origins and large bodies.

    A web page of another site can send requests to this machine. Under a name of its own that it
    points here (DNS rebinding) it could read the answers, so the Host header must name this
    machine. Under its real name its requests carry an Origin header, which must be ours.

    Parameters
    ----------
    app : ASGI application
    hosts : iterable of str
        Host names that requests may be addressed to, without port.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = LOOPBACK) -> None:
        self.app = app
        self.hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            headers = Headers(scope=scope)
            self._require_own(headers)
            body = await _read_body(headers, receive)
        except RequestError as problem:
            await problem_response(problem)(scope, receive, send_with_headers)
            return

        messages = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive_body() -> Message:
            return next(messages, None) or await receive()

        await self.app(scope, receive_body, send_with_headers)

    def _require_own(self, headers: Headers) -> None:
        host = headers.get("host", "")
        if _name(f"//{host}") not in self.hosts:
            raise RequestError(
                421,
                "the Host header names another machine; use the address that faast serve prints",
            )
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            raise RequestError(403, "the request comes from a page of another site; it was refused")


def problem_response(problem: RequestError) -> JSONResponse:
    """Return a problem as an HTTP answer."""
    return JSONResponse(problem.content, problem.status, media_type=MEDIA_TYPE)


async def _read_body(headers: Headers, receive: Receive) -> bytes:
    """Return the body of a request, which is refused as soon as it is too large."""
    too_large = RequestError(
        413, f"the body has more than {MAX_BODY} bytes; send the rows in several requests"
    )
    length = headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MAX_BODY:
        raise too_large
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise too_large
        if not message.get("more_body", False):
            return bytes(body)


def _name(address: str) -> str | None:
    """Return the host of an address without its port; None if there is none."""
    try:
        name = urlsplit(address).hostname
    except ValueError:
        return None
    return f"[{name}]" if name is not None and ":" in name else name
