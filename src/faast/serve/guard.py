"""What a request must satisfy before a route sees it: its host, its origin, its token, its size."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterable
from contextlib import ExitStack
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from faast.serve.access.limits import Places, RateLimit, limit_body
from faast.serve.access.scopes import LOCAL, OPEN, Client
from faast.serve.access.tokens import TokenFile
from faast.serve.problems import RequestError, problem_response

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names by which this machine calls itself."""

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

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="faast"'}
"""The page asks for a token itself; at `Basic` the browser would, before the page learns of it."""


class Guard:
    """ASGI middleware that refuses foreign hosts, foreign origins, strangers and large bodies.

    A web page of another site can send requests to this machine. Under a name of its own that it
    points here (DNS rebinding) it could read the answers, so the Host header must be known. Under
    its real name its requests carry an Origin header, which must be ours.

    Parameters
    ----------
    app : ASGI application
    hosts : iterable of str
        Host names that requests may be addressed to, without port. Where tokens are required, an
        IP address may be too: no other site can point it here.
    tokens : TokenFile
    rate : float
        Requests a second that a client may send, where tokens are required.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], tokens: TokenFile, rate: float) -> None:
        self.app = app
        self.hosts = frozenset(hosts)
        self.tokens = tokens
        self.rate = RateLimit(rate)
        self.places = Places()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        address = scope["client"][0] if scope.get("client") else ""
        with ExitStack() as held:
            try:
                self._require_own(scope["scheme"], headers)
                client = self._admit(scope["path"], headers, address)
                held.enter_context(
                    self.places.take(client.name if client and client.name else address)
                )
            except RequestError as problem:
                await problem_response(problem)(scope, receive, send_with_headers)
                return
            scope.setdefault("state", {})["client"] = client
            receive = limit_body(scope["path"], headers, receive)
            if client is not None and client is not LOCAL:
                receive = self._require_still_known(headers, receive)
            await self.app(scope, receive, send_with_headers)

    def _require_own(self, scheme: str, headers: Headers) -> None:
        host = ", ".join(headers.getlist("host"))  # of several, a proxy may take another one
        name = _name(f"//{host}")
        if name not in self.hosts and not (self.tokens.required and _is_address(name)):
            raise RequestError(
                421,
                "the Host header names another machine; use the address that faast serve prints, "
                "or start it with --allow-host NAME",
            )
        origin = headers.get("origin")
        if origin is not None and origin != f"{scheme}://{host}":
            raise RequestError(
                403,
                f"the request comes from a page of another site than {scheme}://{host}; a proxy in "
                "front must pass on the headers Host and X-Forwarded-Proto",
            )

    def _admit(self, path: str, headers: Headers, address: str) -> Client | None:
        """Return who sent a request; None for an open path without a token."""
        if not self.tokens.required:
            return LOCAL
        secret = _secret(headers)
        token = None if secret is None else self.tokens.find(secret)
        self.rate.take(address if token is None else token.name)
        if token is not None:
            return Client(token.name, token.scope)
        if secret is None and path in OPEN:
            return None
        if secret is not None:
            raise _unknown()
        raise RequestError(
            401,
            "a token is needed: send it in the header Authorization: Bearer TOKEN",
            CHALLENGE,
        )

    def _require_still_known(self, headers: Headers, receive: Receive) -> Receive:
        """Return a `receive` that raises a RequestError if the token is revoked before the end."""

        async def receive_of_known() -> Message:
            message = await receive()
            last = message["type"] == "http.request" and not message.get("more_body", False)
            if last and self.tokens.find(_secret(headers) or "") is None:
                raise _unknown()
            return message

        return receive_of_known


def _unknown() -> RequestError:
    return RequestError(401, "the token is not known; it may have been revoked", CHALLENGE)


def _secret(headers: Headers) -> str | None:
    """Return the token of a request: a bearer token, or a password with any user name."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    given = given.strip()
    if kind.lower() == "bearer":
        return given
    if kind.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).decode().partition(":")[2]
        except ValueError:  # no base64, or no text in it
            return ""
    return None


def _name(address: str) -> str | None:
    """Return the host of an address without its port; None if there is none."""
    try:
        name = urlsplit(address).hostname
    except ValueError:
        return None
    return f"[{name}]" if name is not None and ":" in name else name


def _is_address(name: str | None) -> bool:
    try:
        ipaddress.ip_address((name or "").strip("[]"))
    except ValueError:
        return False
    return True
