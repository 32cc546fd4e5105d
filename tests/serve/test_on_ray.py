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


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Return the address of a server on a Ray of its own."""
    command = [Path(sys.executable).with_name("faast"), "serve", tmp_path_factory.mktemp("tasks")]
    options = ["--ray", "--replicas", str(REPLICAS), "--port", "0", "--json"]
    server = subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    yield json.loads(server.stdout.readline())["address"]
    server.send_signal(signal.SIGINT)
    server.wait(60)
    server.stdout.close()


def teach(client, task, rows):
    rows = [{"text": text, "label": label, "source": source} for text, label, source in rows]
    answer = client.post(f"/v1/tasks/{task}/rows", json={"rows": rows})
    assert answer.status_code == 201, answer.text
    return answer.json()


def processes(actor):
    """Return the numbers of the processes of actors, by the names that Ray gives them."""
    return {
        p.pid for p in psutil.process_iter(["cmdline"]) if f"ray::{actor}" in str(p.info["cmdline"])
    }


def test_replicas_answer_bit_for_bit_alike_while_one_of_them_is_killed(address):
    with httpx.Client(base_url=address, timeout=60) as client:
        assert client.post("/v1/tasks", json={"name": "mail"}).status_code == 201
        teach(client, "mail", ROWS)
        texts = [text for text, _, _ in ROWS]
        here = TextClassifier().fit(texts, [label for _, label, _ in ROWS])
        expected = here.predict_proba(["where is my card"])[0]
        replicas = processes("ServeReplica")
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


def test_nothing_acknowledged_is_lost_when_the_process_of_a_task_is_killed(address):
    with httpx.Client(base_url=address, timeout=60) as client:
        client.post("/v1/tasks", json={"name": "killed"})
        acknowledged, lost = [], []
        for i in range(40):
            if i == 15:
                os.kill(max(processes("TaskActor")), signal.SIGKILL)
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
