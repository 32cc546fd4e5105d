"""`faast lm serve` as a process that is killed: what it acknowledged is read by the next one."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import httpx

from tests.serve.memories.conftest import KING, QUEEN, speaking
from tests.serve.memories.test_completions import complete
from tests.serve.memories.test_reading import KINDS, create, read, state, wait
from tests.serve.server import TRUST

TEXTS = [(f"{KING} {QUEEN} " * n, f"source {n % 2}") for n in range(1, 7)]


@contextmanager
def process(folder, stories, number):
    """Serve a folder by a process until the block ends, and yield a client."""
    command = ["-m", "faast", "lm", "serve", "--port", "0", "--json", "--base"]
    running = subprocess.Popen(
        [sys.executable, *command, str(stories), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    try:
        address = json.loads(running.stdout.readline())["address"]
        with httpx.Client(base_url=address, timeout=60, verify=TRUST) as http:
            yield http
    finally:
        running.send_signal(number)
        running.wait(60)
        running.stdout.close()


def test_what_was_acknowledged_is_read_after_a_kill(tmp_path, stories):
    with process(tmp_path / "killed", stories, signal.SIGKILL) as http:
        create(http, **KINDS["recalling"])
        jobs = [
            http.post("/v1/memories/facts/read", json={"text": text, "source": source}).json()["id"]
            for text, source in TEXTS
        ]
    with process(tmp_path / "killed", stories, signal.SIGTERM) as http:
        assert [wait(http, job)["status"] for job in jobs] == ["done"] * len(jobs)
        after = state(http)
        assert http.get("/v1/memories/facts/sources").json() == {"source 0": 3, "source 1": 3}
        text = complete(speaking(http), "facts", "the king").choices[0].text
    with process(tmp_path / "never", stories, signal.SIGTERM) as http:  # as many threads: same bits
        create(http, **KINDS["recalling"])
        for taught, source in TEXTS:
            read(http, taught, source)
        assert state(http) == after
        assert complete(speaking(http), "facts", "the king").choices[0].text == text
