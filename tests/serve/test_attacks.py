"""Thousands of hostile requests to a running server: none gets in, none changes anything.

Some hundreds by default, ten thousand with `FAAST_THOROUGH`. The server is a process of its own, so
that its memory can be watched, and requests are bytes on a connection, so that nothing mends them.
"""

import os
import random
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlsplit

import psutil

from faast.serve.access.tokens import Scope, TokenFile
from tests.serve.conftest import teach
from tests.serve.hostile import KINDS, ROWS, bearing, request

ATTACKS = 10_000 if os.environ.get("FAAST_THOROUGH") else 800
CLIENTS = 8
SLOW = 100
GROWTH = 100 * 2**20
"""Bytes of memory that the server may need beyond those after a few ordinary requests."""


def answer(address, content):
    """Send bytes, and return the status of the answer; None if the connection was closed."""
    with socket.create_connection(address, timeout=60) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(content)
        with suppress(ConnectionResetError):
            received = connection.recv(65_536)
            return int(received.split()[1]) if received else None
    return None


def contents(folder):
    """Return all bytes of a folder, but for what SQLite shares between its connections."""
    files = [path for path in folder.iterdir() if not path.name.endswith("-shm")]
    return {path.name: path.read_bytes() for path in files}


def test_hostile_requests_neither_get_in_nor_change_anything(server, tmp_path):
    secrets = {scope: TokenFile(tmp_path).create(scope, scope) for scope in Scope}
    slowly = TokenFile(tmp_path).create("slow", Scope.TEACH)
    with server.running(tmp_path, rate=1e6) as http:
        http.headers["authorization"] = f"Bearer {secrets[Scope.ADMIN]}"
        http.post("/v1/tasks", json={"name": "mail"})
        teach(http)
        http.post("/v1/tasks", json={"name": "shapes", "kind": "numbers"})
        rows = [{"numbers": [n, -n], "label": f"{n % 2}"} for n in range(4)]
        http.post("/v1/tasks/shapes/rows", json={"rows": rows})
        for _ in range(20):
            http.post("/v1/tasks/mail/ask", json={"texts": ["my card was lost"] * 100})
        tasks, files = http.get("/v1/tasks").json(), contents(tmp_path)
        address = (urlsplit(server.address).hostname, urlsplit(server.address).port)
        process = psutil.Process(server.pid)
        memory = process.memory_info().rss

        def attack(number):
            draw = random.Random(number)
            kind = draw.choice(KINDS)
            content = kind(draw, secrets)
            return kind.__name__, content[:300], answer(address, content)

        half = [
            request("POST", ROWS, [bearing(slowly)], length=1_000)[: 60 + 9 * n]
            for n in range(SLOW)
        ]
        slow = [socket.create_connection(address) for _ in half]
        for connection, start in zip(slow, half, strict=True):
            connection.sendall(start)
        started = time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as clients:
            found = list(clients.map(attack, range(ATTACKS)))
        seconds = time.perf_counter() - started
        growth = process.memory_info().rss - memory
        for connection in slow:
            connection.close()

        let_in = [one for one in found if one[2] is not None and not 400 <= one[2] < 500]
        assert not let_in, "\n".join(map(str, let_in))
        summary = Counter(status for _, _, status in found)
        assert {401, 403, 404, 405, 413, 421, 422} <= summary.keys()
        silent = Counter(kind for kind, _, status in found if status is None)
        assert not silent.keys() - {"huge", "header_tricks", "method_tricks"}
        assert http.get("/v1/tasks").json() == tasks
        assert contents(tmp_path) == files
        assert growth < GROWTH, f"{growth / 2**20:.0f} MiB in {seconds:.0f} s: {summary}"
