"""Clients that send one prepared request again and again, and note when each answer came."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Call:
    """A POST request of JSON.

    Attributes
    ----------
    address : str
    body : object
    """

    address: str
    body: object

    def message(self) -> bytes:
        """Return the request as it is sent."""
        where = urlsplit(self.address)
        body = json.dumps(self.body).encode()
        head = (
            f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


@dataclass(frozen=True)
class Load:
    """What a load of requests took.

    Attributes
    ----------
    seconds : float
        From the first request to the last answer.
    latencies : list of float
        Seconds from each request to its answer.
    """

    seconds: float
    latencies: list[float]


def load(call: Call, connections: int, seconds: float) -> Load:
    """Send a request over several connections at once, each as soon as the last is answered."""

    async def all_connections() -> Load:
        started = time.perf_counter()
        parts = await asyncio.gather(
            *(_repeat(call, started + seconds) for _ in range(connections))
        )
        return Load(time.perf_counter() - started, [one for part in parts for one in part])

    return asyncio.run(all_connections())


async def _repeat(call: Call, until: float) -> list[float]:
    where = urlsplit(call.address)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    message = call.message()
    latencies = []
    while (started := time.perf_counter()) < until:
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        status, *fields = head.decode().splitlines()
        if status.split()[1] not in ("200", "201"):
            raise RuntimeError(f"{call.address} answered {status}")
        lengths = [f.split(":")[1] for f in fields if f.lower().startswith("content-length:")]
        await reader.readexactly(int(lengths[0]))
        latencies.append(time.perf_counter() - started)
    writer.close()
    return latencies
