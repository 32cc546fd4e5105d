"""A real Ray cluster on this machine: replicas answer, and whoever is killed is replaced."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest

from faast import TextClassifier
from tests.serve.conftest import ROWS

if find_spec("ray") is None or find_spec("ray.serve") is None:
    pytest.skip("needs the extra ray", allow_module_level=True)


REPLICAS = 2
TIMEOUT = 300  # seconds: other tests may keep all processors busy


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Return the process of a server on a Ray of its own, and its address."""
    folder = tmp_path_factory.mktemp("server")
    command = [Path(sys.executable).with_name("faast"), "serve", folder / "tasks"]
    options = ["--ray", "--replicas", str(REPLICAS), "--port", "0", "--json"]
    with (folder / "errors").open("w") as errors:
        server = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=errors, text=True
        )
    told = server.stdout.readline()
    assert told, (folder / "errors").read_text()
    yield server, json.loads(told)["address"]
    server.terminate()
    server.wait(TIMEOUT)
    server.stdout.close()


@pytest.fixture(scope="module")
def address(server):
    return server[1]


def teach(client, task, rows):
    rows = [{"text": text, "label": label, "source": source} for text, label, source in rows]
    answer = client.post(f"/v1/tasks/{task}/rows", json={"rows": rows})
    assert answer.status_code == 201, answer.text
    return answer.json()


def processes(server, actor):
    """Return the numbers of the processes of actors, by the names that Ray gives them."""
    below = psutil.Process(server[0].pid).children(recursive=True)
    return {p.pid for p in below if f"ray::{actor}" in str(p.cmdline())}


def test_replicas_answer_bit_for_bit_alike_while_one_of_them_is_killed(server, address):
    with httpx.Client(base_url=address, timeout=TIMEOUT) as client:
        assert client.post("/v1/tasks", json={"name": "mail"}).status_code == 201
        teach(client, "mail", ROWS)
        texts = [text for text, _, _ in ROWS]
        here = TextClassifier().fit(texts, [label for _, label, _ in ROWS])
        expected = here.predict_proba(["where is my card"])[0]
        replicas = processes(server, "ServeReplica")
        assert len(replicas) == REPLICAS
        answers = []
        for turn in range(60):
            if turn == 20:
                os.kill(min(replicas), signal.SIGKILL)
            answers.append(client.post("/v1/tasks/mail/ask", json={"texts": ["where is my card"]}))
        shares = [
            list(a.json()["answers"][0]["probabilities"].values())
            for a in answers
            if a.status_code == 200
        ]
        assert len(shares) >= 59  # the answer that the killed replica was giving is lost
        np.testing.assert_array_equal(shares, np.tile(expected, (len(shares), 1)))


def test_nothing_acknowledged_is_lost_when_the_process_of_a_task_is_killed(server, address):
    with httpx.Client(base_url=address, timeout=TIMEOUT) as client:
        client.post("/v1/tasks", json={"name": "killed"})
        acknowledged, lost = [], []
        for i in range(40):
            if i == 15:
                os.kill(max(processes(server, "TaskActor")), signal.SIGKILL)
            row = {"text": f"question {i}", "label": f"answer {i % 3}"}
            answer = client.post("/v1/tasks/killed/rows", json={"rows": [row]})
            (acknowledged if answer.status_code == 201 else lost).append(row)
            assert answer.status_code in (201, 503), answer.text
            time.sleep(0.02)
        assert len(acknowledged) > 30
        rows = client.get("/v1/tasks/killed/rows").json()["rows"]
        kept = [{"text": row["text"], "label": row["label"]} for row in rows]
        assert [row for row in kept if row in acknowledged] == acknowledged
        assert all(row in acknowledged or row in lost for row in kept)


def test_every_view_of_a_task_is_answered_by_any_replica(address):
    """States, reviews and errors travel between processes; the next question knows a change."""
    with httpx.Client(base_url=address, timeout=TIMEOUT) as client:
        client.post("/v1/tasks", json={"name": "views"})
        teach(client, "views", [*ROWS, ("what about my refund", None, None)])
        views = ["suspects", "next", "evaluation", "evaluation/curve", "classes", "history"]
        for view in [*views, "sources", "model", "export?format=csv"]:
            assert client.get(f"/v1/tasks/views/{view}").status_code == 200, view
        assert client.post("/v1/tasks/views/explain", json={"text": "my card"}).status_code == 200
        renaming = {"label": "card", "to": "cards"}
        assert client.post("/v1/tasks/views/classes/rename", json=renaming).status_code == 200
        for _ in range(2 * REPLICAS):
            asked = client.post("/v1/tasks/views/ask", json={"texts": ["my card is lost"]}).json()
            assert "cards" in asked["answers"][0]["probabilities"]
        assert client.post("/v1/tasks/views/undo").status_code == 200
        assert client.get("/v1/tasks/views/classes").json()["card"] == 2
        missing = client.get("/v1/tasks/views/rows/99")
        assert missing.status_code == 404
        assert "there is no row 99" in missing.json()["detail"]
        refused = client.post("/v1/tasks/views/uploads?format=csv", content=b"text,label")
        assert refused.status_code == 501
        assert client.delete("/v1/tasks/views").status_code == 204
