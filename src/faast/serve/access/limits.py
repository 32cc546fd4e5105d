"""How much a client may ask: requests a second, requests at once, and bytes of a body in time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from faast.serve.problems import RequestError

RATE = 100.0
"""Requests a second that a client with a token may send, on average."""

BURST_SECONDS = 10.0
"""A client that was silent for so long may send what it saved at once."""

CLIENTS = 10_000
"""Clients that are remembered; the one that was silent longest is forgotten first."""

AT_ONCE = 256
"""Requests that are answered at once."""

AT_ONCE_PER_CLIENT = 64
"""Requests of one client that are answered at once."""

MAX_BODY = 8 * 2**20
"""Bytes that the body of a request may have."""

MAX_UPLOAD = 2 * 2**30
"""Bytes of a body that is written to the disk as it comes."""

UPLOADS = ("/uploads", "/v1/import")
"""Ends of the paths that write bodies to the disk."""

BODY_SECONDS = 20.0
"""Time for a body to come, besides the time at the slowest rate."""

SLOWEST = 4_096
"""Bytes a second that a body must come with."""


class RateLimit:
    """A token bucket for each client.

    Parameters
    ----------
    rate : float
        Requests a second.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._burst = max(1.0, rate * BURST_SECONDS)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> None:
        """Count a request; raises a RequestError if the client sent too many."""
        now = time.monotonic()
        left, then = self._buckets.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - then) * self.rate)
        self._buckets[client] = (max(left - 1, 0.0) if left >= 1 else left, now)
        if len(self._buckets) > CLIENTS:
            self._buckets.popitem(last=False)
        if left < 1:
            wait = ceil((1 - left) / self.rate)
            raise RequestError(
                429,
                f"too many requests: {self.rate:g} a second are allowed; wait {wait} s, and send "
                "several rows in one request",
                headers={"Retry-After": str(wait)},
            )


class Places:
    """Places of requests that are answered at once; no client can take them all."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def take(self, client: str) -> Iterator[None]:
        """Hold a place; raises a RequestError if there is none."""
        retry = {"Retry-After": "1"}
        if self._taken[client] >= AT_ONCE_PER_CLIENT:
            raise RequestError(
                429,
                f"{AT_ONCE_PER_CLIENT} requests of this client are being answered; wait for one",
                headers=retry,
            )
        if self._taken.total() >= AT_ONCE:
            raise RequestError(
                503, "the server is busy with other clients; try again soon", headers=retry
            )
        self._taken[client] += 1
        try:
            yield
        finally:
            self._taken[client] -= 1
            if not self._taken[client]:
                del self._taken[client]


def limit_body(path: str, headers: Headers, receive: Receive) -> Receive:
    """Return a `receive` that raises a RequestError when a body is too large or too slow."""
    limit = MAX_UPLOAD if path.endswith(UPLOADS) else MAX_BODY
    length = headers.get("content-length", "")
    received = 0
    declared = int(length) if length.isdecimal() else 0
    more = True
    clock = asyncio.get_running_loop().time
    started = clock()

    async def receive_in_limits() -> Message:
        nonlocal received, more
        if not more:  # what may still come is the end of the connection
            return await receive()
        if declared <= limit:
            try:
                async with asyncio.timeout_at(started + BODY_SECONDS + received / SLOWEST):
                    message = await receive()
            except TimeoutError as error:
                raise RequestError(
                    408, f"the body came too slowly: {SLOWEST} bytes a second are the least"
                ) from error
            received += len(message.get("body", b""))
            more = message.get("more_body", False)
        if max(received, declared) > limit:
            raise RequestError(
                413, f"the body has more than {limit} bytes; send the rows in several requests"
            )
        return message

    return receive_in_limits
