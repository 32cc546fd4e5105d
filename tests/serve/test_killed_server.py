"""A server that is killed while several clients change a task loses nothing it acknowledged.

`FAAST_KILLS` says how many servers are killed.
"""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.serve.ledger import Client, Rows, changes_after, rows_of
from tests.serve.server import TRUST

KILLS = int(os.environ.get("FAAST_KILLS", "300" if os.environ.get("FAAST_THOROUGH") else "15"))
CLIENTS = 4
SNAPSHOT_CHANGES = 10
"""Changes after which the model file is written: few, so that kills meet the writing too."""


def test_nothing_acknowledged_is_lost_when_the_server_is_killed_under_load(
    server, tmp_path, record_property
):
    with server.running(tmp_path) as http:
        http.post("/v1/tasks", json={"name": "mail"})
    drawn = random.Random(0)
    told, verified, cut_off = Rows(), 0, 0
    acknowledged, unanswered = {}, []
    for kill in range(KILLS):
        if kill % 5 == 4:  # while it starts, and replays what the last kill left
            server.start(tmp_path, snapshot_changes=SNAPSHOT_CHANGES)
            time.sleep(drawn.uniform(0.0, 0.1))
            server.end()
        server.start(tmp_path, snapshot_changes=SNAPSHOT_CHANGES)
        server.wait()
        with httpx.Client(base_url=server.address, timeout=60, verify=TRUST) as http:
            changes = changes_after(http, verified)
            cut_off += replay(told, changes, acknowledged, unanswered)
            rows = rows_of(http)
            assert http.get("/v1/tasks/mail").json()["state"] == told.state()
        verified += len(changes)
        assert_equal_rows(rows, told)
        clients = [Client(f"{kill}.{i}") for i in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            known = list(rows)
            at_work = [pool.submit(c.until_gone, server.address, known) for c in clients]
            time.sleep(drawn.uniform(0.0, 0.4))
            server.end()
            for client in at_work:
                client.result()
        acknowledged = {p: told for client in clients for p, told in client.acknowledged.items()}
        unanswered = [client.unanswered for client in clients if client.unanswered]
    assert verified >= KILLS
    record_property("changes", verified)
    record_property("unanswered", cut_off)


def replay(told, changes, acknowledged, unanswered):
    """Apply the changes of the log as the clients asked for them; return how many had no answer.

    Each is one that was acknowledged, at its position and with its state, or one that a client
    was waiting for.
    """
    assert set(acknowledged) <= {change["position"] for change in changes}, "a change was lost"
    waited_for = 0
    for change in changes:
        position = change["position"]
        if position in acknowledged:
            wanted, answer = acknowledged[position]
            assert {name: answer[name] for name in change if name in answer} == {
                name: change[name] for name in change if name in answer
            }
            told.apply(wanted, position, *answer.get("ids", ()))
        else:
            wanted = next(w for w in unanswered if explains(told, w, change))
            unanswered.remove(wanted)
            told.apply(wanted, position)
            waited_for += 1
    return waited_for


def explains(told, wanted, change):
    """Say whether what a client asked for is what the log says was done."""
    after = told.copy()
    try:
        after.apply(wanted, change["position"])
    except (KeyError, IndexError):  # it names a row that is no longer there
        return False
    return wanted.kind == change["kind"] and after.state() == change["state"]


def assert_equal_rows(rows, told):
    """Check that the rows are those that clients were told of, by their numbers if they know."""
    numbered = {number: row for number, row in told.rows.items() if isinstance(number, int)}
    assert {number: rows[number] for number in numbered} == numbered
    assert sorted(rows.values()) == sorted(told.rows.values())
    told.rows = {number: rows[number] for number in sorted(rows)}
