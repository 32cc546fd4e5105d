"""`faast serve` as a process that starts fast and can be killed at any moment.

This module, run as a program, imports what the command needs and then forks one process after the
other. Each runs the whole command: it opens the folder, replays the logs, listens and answers.
"""

import json
import os
import signal
import ssl
import subprocess
import sys
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import httpx

TRUST = ssl.create_default_context()
"""Made once, as it takes long; no client of these tests needs it."""


class Server:
    """Processes that serve folders, one at a time.

    Attributes
    ----------
    pid : int or None
        Of the process, while it runs.
    address : str
        Where it listens.
    """

    def __init__(self):
        self.pid = None
        self._forking = subprocess.Popen(
            [sys.executable, "-m", "tests.serve.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def start(self, folder, constants=None, **options):
        """Start a process with options of the command; `wait` until it listens.

        `constants` names constants of the package that have another value in this process, with
        their modules: "faast.serve.tasks.storage.SNAPSHOT_CHANGES".
        """
        order = {"folder": str(folder), "constants": constants or {}, **options}
        self._forking.stdin.write(json.dumps(order) + "\n")
        self._forking.stdin.flush()
        self.pid = self._told()["pid"]
        self.address = None

    def wait(self):
        self.address = self._told()["address"]

    @contextmanager
    def running(self, folder, constants=None, **options):
        """Serve a folder until the block ends, and yield a client."""
        self.start(folder, constants, **options)
        self.wait()
        try:
            with httpx.Client(base_url=self.address, timeout=60, verify=TRUST) as client:
                yield client
        finally:
            self.end(signal.SIGTERM)

    def end(self, number=signal.SIGKILL):
        """Send the process a signal, and wait for its end."""
        os.kill(self.pid, number)
        while "ended" not in self._told():
            pass
        self.pid = None

    def close(self):
        if self.pid is not None:  # a test failed
            self.end()
        self._forking.stdin.close()
        self._forking.wait(60)
        self._forking.stdout.close()

    def _told(self):
        return json.loads(self._forking.stdout.readline())


def _fork():
    import tempfile

    import uvicorn.lifespan.on
    import uvicorn.loops.uvloop
    import uvicorn.protocols.http.auto
    import uvicorn.protocols.websockets.auto  # noqa: F401 - a server imports these as it starts

    import faast.cli.serve.start  # noqa: F401
    from tests.serve.conftest import serving

    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as client:
        client.post("/v1/tasks", json={"name": "warm"})
        client.post("/v1/tasks/warm/rows", json={"rows": [{"text": "a", "label": "b"}]})
        client.post("/v1/tasks/warm/ask", json={"texts": ["a"]})
    for order in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _tell(pid=os.getpid())
            _serve(**json.loads(order))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        _tell(ended=os.waitstatus_to_exitcode(status))


def _tell(**facts):
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _serve(folder, constants, **options):
    from faast.cli.serve.start import start

    for constant, value in constants.items():
        module, _, name = constant.rpartition(".")
        setattr(import_module(module), name, value)
    start(Path(folder), port=0, json=True, **options)


if __name__ == "__main__":
    _fork()
