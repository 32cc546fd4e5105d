"""A server that is killed while several clients change a task loses nothing it acknowledged.

`FAAST_KILLS` says how many servers are killed.
"""

import json
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.serve.ledger import ALSO, Client, Rows, changes_after, rows_of, state_of_rows
from tests.serve.server import TRUST

KILLS = int(os.environ.get("FAAST_KILLS", "300" if os.environ.get("FAAST_THOROUGH") else "15"))
CLIENTS = 4
ERASED = ""
"""What the history says of the states before a forgotten source."""

CONSTANTS = {
    "faast.serve.tasks.storage.SNAPSHOT_CHANGES": 10,
    "faast.serve.jobs.upload.BATCH_ROWS": 3,
}
"""Few changes between two writings of the model file, and small batches: kills meet them all."""


def test_nothing_acknowledged_is_lost_when_the_server_is_killed_under_load(
    server, tmp_path, record_testsuite_property
):
    with server.running(tmp_path) as http:
        http.post("/v1/tasks", json={"name": "mail"})
    drawn = random.Random(0)
    told, verified, cut_off = Rows(), 0, 0
    acknowledged, unanswered = {}, []
    for kill in range(KILLS):
        if kill % 5 == 4:  # while it starts, and replays what the last kill left
            server.start(tmp_path, CONSTANTS)
            time.sleep(drawn.uniform(0.0, 0.1))
            server.end()
        server.start(tmp_path, CONSTANTS)
        server.wait()
        with httpx.Client(base_url=server.address, timeout=60, verify=TRUST) as http:
            changes = changes_after(http, verified)
            rows = rows_of(http)
            cut_off += replay(told, changes, acknowledged, unanswered, rows)
            assert http.get("/v1/tasks/mail").json()["state"] == told.state()
        verified += len(changes)
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
    record_testsuite_property("changes", verified)
    record_testsuite_property("unanswered", cut_off)


def test_an_upload_goes_on_after_a_kill_and_every_row_is_taught_once(server, tmp_path):
    with server.running(tmp_path) as http:
        http.post("/v1/tasks", json={"name": "mail"})
    drawn = random.Random(1)
    texts, job, uploads = [], None, 0
    for _ in range(KILLS):
        server.start(tmp_path, CONSTANTS)
        server.wait()
        with httpx.Client(base_url=server.address, timeout=60, verify=TRUST) as http:
            if job is None:
                uploads += 1
                texts = [f"row {i} of upload {uploads}" for i in range(30)]
                lines = [{"text": text, "label": f"label {i % 3}"} for i, text in enumerate(texts)]
                job = http.post(
                    f"/v1/tasks/mail/uploads?format=jsonl&source=upload-{uploads}",
                    content="\n".join(map(json.dumps, lines)),
                ).json()
            taught = taught_by(http, uploads)
            assert taught == texts[: len(taught)]
            time.sleep(drawn.uniform(0.0, 0.2))
            shown = http.get(f"/v1/jobs/{job['id']}").json()
            taught = taught_by(http, uploads)
            assert shown["done"] <= len(taught)
            if shown["status"] == "done":
                assert taught == texts
                job = None
            server.end()
    with server.running(tmp_path) as http:
        while any(
            job["status"] in ("waiting", "running") for job in http.get("/v1/jobs").json()["jobs"]
        ):
            time.sleep(0.1)
        assert taught_by(http, uploads) == texts
        assert http.get("/v1/tasks/mail").json()["state"] == state_of_rows(rows_of(http))
    assert uploads > 1


def taught_by(http, upload):
    given = {"source": f"upload-{upload}", "limit": 1000}
    return [row["text"] for row in http.get("/v1/tasks/mail/rows", params=given).json()["rows"]]


def replay(told, changes, acknowledged, unanswered, rows):
    """Apply the changes of the log as the clients asked for them; return how many had no answer.

    Each is one that was acknowledged, at its position and with its state, or one that a client
    was waiting for. Of several that may have been it, those count that lead to the rows.
    """
    assert set(acknowledged) <= {change["position"] for change in changes}, "a change was lost"
    worlds = [(told, unanswered)]
    for change in changes:
        position = change["position"]
        if position in acknowledged:
            wanted, answer = acknowledged[position]
            both = set(answer) & set(change) - ({"state"} if change["state"] == ERASED else set())
            assert {name: answer[name] for name in both} == {name: change[name] for name in both}
            for world, _ in worlds:
                world.apply(wanted, position, *answer.get("ids", ()))
        else:
            worlds = [
                (after, [other for other in waiting if other is not wanted])
                for world, waiting in worlds
                for wanted in waiting
                if (after := outcome(world, wanted, change)) is not None
            ]
    found = [(world, waiting) for world, waiting in worlds if is_same(rows, world)]
    assert found, "no order of what clients asked for leads to these rows"
    world, waiting = found[0]
    numbers = {text: number for number, (text, *_) in rows.items()}
    told.rows = dict(rows)
    told.undoable = [
        {numbers.get(row[0], number): row for number, row in before.items()}
        for before in world.undoable
    ]
    return len(unanswered) - len(waiting)


def outcome(told, wanted, change):
    """Return the rows after what a client asked for, if it is what the log says was done."""
    after = told.copy()
    try:
        after.apply(wanted, change["position"])
    except (KeyError, IndexError):  # it names a row that is no longer there
        return None
    kinds = wanted.kind, ALSO.get(wanted.kind)
    return after if change["kind"] in kinds and change["state"] in (ERASED, after.state()) else None


def is_same(rows, told):
    """Say whether the rows are those that clients were told of, by their numbers if they know."""
    numbered = {number: row for number, row in told.rows.items() if isinstance(number, int)}
    return all(rows.get(number) == row for number, row in numbered.items()) and sorted(
        rows.values(), key=str
    ) == sorted(told.rows.values(), key=str)
