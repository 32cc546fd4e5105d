"""The servers that are compared, each started as its users start it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import joblib
from sklearn.linear_model import LogisticRegression

from benchmarks._lib.paths import REPOSITORY
from benchmarks.serve.client import Call
from faast import TextClassifier
from faast.encoders import Encoder

START_SECONDS = 60
TASK = "questions"


@dataclass(frozen=True)
class Server:
    """A server that runs.

    Attributes
    ----------
    address : str
    ask : callable
        Makes the request that asks for the labels of texts.
    """

    address: str
    ask: Callable[[list[str]], Call]


@contextmanager
def faast_server(
    folder: Path, encoder: Encoder, texts: list[str], labels: list[str]
) -> Iterator[Server]:
    """Serve a task that has learned texts."""
    tasks = folder / "tasks"
    tasks.mkdir()
    TextClassifier(encoder).fit(texts, labels).save(tasks / f"{TASK}.faast")
    faast = str(Path(sys.executable).with_name("faast"))
    command = [faast, "serve", str(tasks), "--port", "0", "--json"]
    with _running(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["address"].rstrip("/")
        _wait(f"{address}/v2/health/ready")
        yield Server(
            address, lambda asked: Call(f"{address}/v1/tasks/{TASK}/ask", {"texts": asked})
        )


@contextmanager
def lit_server(
    folder: Path, encoder: Encoder, texts: list[str], labels: list[str]
) -> Iterator[Server]:
    """Serve a logistic regression by LitServe."""
    model = _logistic(folder / "lit.joblib", encoder, texts, labels)
    port = _free_port()
    with _running([sys.executable, "-m", "benchmarks.serve.lit", str(model), str(port)]):
        address = f"http://127.0.0.1:{port}"
        _wait(f"{address}/health")
        yield Server(address, lambda asked: Call(f"{address}/predict", {"texts": asked}))


@contextmanager
def ml_server(
    folder: Path, encoder: Encoder, texts: list[str], labels: list[str], python: str
) -> Iterator[Server]:
    """Serve a logistic regression by MLServer, which runs in another Python environment."""
    model = _logistic(folder / "ml.joblib", encoder, texts, labels)
    port = _free_port()
    settings = {
        "http_port": port,
        "grpc_port": _free_port(),
        "metrics_port": _free_port(),
        "parallel_workers": 0,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    implementation = {
        "name": TASK,
        "implementation": "benchmarks.serve.ml.Texts",
        "parameters": {"uri": str(model)},
    }
    (folder / "model-settings.json").write_text(json.dumps(implementation))
    command = [python, "-m", "mlserver.cli.main", "start", str(folder)]
    with _running(command):
        address = f"http://127.0.0.1:{port}"
        _wait(f"{address}/v2/models/{TASK}/ready")
        yield Server(
            address,
            lambda asked: Call(
                f"{address}/v2/models/{TASK}/infer",
                {
                    "inputs": [
                        {"name": "text", "shape": [len(asked)], "datatype": "BYTES", "data": asked}
                    ]
                },
            ),
        )


def _logistic(path: Path, encoder: Encoder, texts: list[str], labels: list[str]) -> Path:
    model = LogisticRegression(max_iter=1_000).fit(encoder.encode(texts), labels)
    joblib.dump((encoder, model), path)
    return path


@contextmanager
def _running(
    command: list[str], stdout: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'src'}"},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)  # with the workers that it started
        process.wait(20)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait(address: str) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
