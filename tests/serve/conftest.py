"""A client of the application over a new folder, without a network."""

from contextlib import contextmanager
from importlib.util import find_spec

import pytest

if any(find_spec(package) is None for package in ("fastapi", "httpx", "uvicorn")):
    collect_ignore_glob = ["test_*.py"]  # needs the extra serve
else:
    from starlette.testclient import TestClient

    from faast.serve import create_app
    from tests.serve.server import Server

ROWS = [
    ("I lost my card", "card", "ann"),
    ("the card is gone", "card", "bob"),
    ("my top up failed", "top up", "ann"),
    ("the top up did not work", "top up", None),
    ("where is my refund", "refund", "bob"),
]


@contextmanager
def serving(folder):
    with TestClient(create_app(folder), base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def client(tmp_path):
    with serving(tmp_path) as client:
        yield client


def teach(client, rows=ROWS, task="mail"):
    rows = [{"text": text, "label": label, "source": source} for text, label, source in rows]
    answer = client.post(f"/v1/tasks/{task}/rows", json={"rows": rows})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def mail(client):
    """Return the client, with a task of five rows."""
    assert client.post("/v1/tasks", json={"name": "mail"}).status_code == 201
    teach(client)
    return client


def state_of(client, task="mail"):
    return client.get(f"/v1/tasks/{task}").json()["state"]


@pytest.fixture
def server():
    """Return processes that serve folders, and can be killed."""
    server = Server()
    yield server
    server.close()
