"""Many clients at once: no update is lost, and what was acknowledged is seen at once.

A few seconds, or a minute with `FAAST_THOROUGH`.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.serve.ledger import Client, Rows, changes_after, rows_of
from tests.serve.server import TRUST

SECONDS = 60.0 if os.environ.get("FAAST_THOROUGH") else 3.0
TASKS = ["mail", "chat", "calls", "forms"]
CLIENTS = 16
KINDS = ["teach", "teach", "teach", "correct", "forget", "ask"]


class Reader(Client):
    """A client that changes its own rows only, and looks at them after every acknowledgement."""

    def __init__(self, number):
        super().__init__(number, TASKS[number % len(TASKS)], KINDS)
        self.answers = []  # the latest position acknowledged, the text, and the answer

    def until(self, ends, address):
        mine, position = [], 0
        with httpx.Client(base_url=address, timeout=60, verify=TRUST) as http:
            while time.monotonic() < ends:
                wanted, answer = self.change(http, mine)
                assert answer.is_success or (wanted.kind, answer.status_code) in MISSES, answer.text
                self.note(wanted, answer, mine)
                if wanted.kind == "ask":
                    if answer.is_success:
                        self.answers.append((position, wanted.given["texts"][0], answer.json()))
                elif answer.is_success:
                    position = answer.json()["position"]
                    self.look(http, wanted, answer.json())
                if wanted.kind == "forget" and answer.is_success:
                    mine.remove(wanted.given["id"])

    def look(self, http, wanted, told):
        """Check that this client's change is there, whatever the others do meanwhile."""
        number = told["ids"][0] if wanted.kind == "teach" else wanted.given["id"]
        shown = http.get(f"/v1/tasks/{self.task}/rows/{number}")
        if wanted.kind == "forget":
            assert shown.status_code == 404
        else:
            assert shown.json()["label"] == wanted.given["label"]


MISSES = {("correct", 409), ("ask", 409)}
"""A label that the row has already, and a question before the first row."""


def test_sixteen_clients_at_once_lose_no_update_and_see_their_own(
    server, tmp_path, record_testsuite_property
):
    with server.running(tmp_path) as http:
        for task in TASKS:
            http.post("/v1/tasks", json={"name": task})
        clients = [Reader(number) for number in range(CLIENTS)]
        ends = time.monotonic() + SECONDS
        with ThreadPoolExecutor(CLIENTS) as pool:
            for done in [pool.submit(client.until, ends, server.address) for client in clients]:
                done.result()
        for task in TASKS:
            check(http, task, [client for client in clients if client.task == task])
    record_testsuite_property("changes", sum(len(client.acknowledged) for client in clients))
    record_testsuite_property("answers", sum(len(client.answers) for client in clients))


def check(http, task, clients):
    """Check the log and the state against what the clients were told."""
    changes = changes_after(http, 0, task)
    acknowledged = {p: told for client in clients for p, told in client.acknowledged.items()}
    assert [change["position"] for change in changes] == sorted(acknowledged)
    told, states = Rows(), {}
    for change in changes:
        wanted, answer = acknowledged[change["position"]]
        assert answer["state"] == change["state"]
        told.apply(wanted, change["position"], *answer.get("ids", ()))
        states[change["state"]] = change["position"]  # the latest, if it came about twice
    assert rows_of(http, task) == told.rows
    assert http.get(f"/v1/tasks/{task}").json()["state"] == told.state()
    same = {}
    for client in clients:
        for position, text, answer in client.answers:
            assert states[answer["state"]] >= position  # it knows all that was acknowledged
            assert same.setdefault((answer["state"], text), answer["answers"]) == answer["answers"]
