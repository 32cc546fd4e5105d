"""What the guide for operators says of limits, metrics, proxies and backups is so."""

import re
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

from faast.cli._listening import CONNECTIONS
from faast.serve import fields
from faast.serve.access import limits
from faast.serve.access.tokens import TokenFile
from faast.serve.jobs.jobs import MAX_WAITING
from faast.serve.routes.dependencies import PAGE
from tests.serve.conftest import serving, state_of, teach

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "operate.md").read_text()

LIMITS = {
    "bytes of a body": limits.MAX_BODY,
    "bytes of an upload": limits.MAX_UPLOAD,
    "rows of a request": fields.MAX_ROWS,
    "characters of a text": fields.MAX_TEXT,
    "characters of a label or source": fields.MAX_LABEL,
    "bytes of a picture": fields.MAX_PICTURE,
    "pixels of a picture": fields.MAX_PIXELS,
    "pixels of all pictures of a request": fields.MAX_REQUEST_PIXELS,
    "numbers of a row": fields.MAX_NUMBERS,
    "rows of an answer": PAGE,
    "uploads that wait or are being taught": MAX_WAITING,
    "requests a second of a token (`--rate`)": limits.RATE,
    "seconds of unused rate that a token may spend at once": limits.BURST_SECONDS,
    "requests of a client at once": limits.AT_ONCE_PER_CLIENT,
    "requests at once": limits.AT_ONCE,
    "connections at once": CONNECTIONS,
    "slowest rate at which a body may arrive, bytes a second": limits.SLOWEST,
    "seconds that a body may take in addition to its time at the slowest rate": limits.BODY_SECONDS,
}


def test_the_table_of_limits_has_the_limits():
    table = GUIDE.partition("## Limits")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| ([^|]+) \| ([\d,]+) \|", table, flags=re.MULTILINE)
    assert {name: int(value.replace(",", "")) for name, value in cells} == LIMITS


def test_the_metrics_of_the_guide_are_shown_and_those_shown_are_in_the_guide(mail):
    mail.post("/v1/tasks/mail/ask", json={"texts": ["my card"], "novelty": True})
    shown = set(re.findall(r"^# TYPE (faast_\w+)", mail.get("/metrics").text, re.MULTILINE))
    named = {
        name.removesuffix("_bucket")
        for name in re.findall(r"faast_\w+", GUIDE.partition("## Metrics")[2])
    }
    assert named == {name for name in shown if not name.endswith("_created")}


def test_a_proxy_on_this_machine_says_which_scheme_people_use(server, tmp_path):
    secret = TokenFile(tmp_path).create("boss", "admin")
    with server.running(tmp_path, allow_host=["faast.example"]) as http:
        http.headers.update(
            {
                "authorization": f"Bearer {secret}",
                "host": "faast.example",
                "origin": "https://faast.example",
            }
        )
        without = http.post("/v1/tasks", json={"name": "mail"})
        assert without.status_code == 403
        assert "X-Forwarded-Proto" in without.json()["detail"]
        http.headers["x-forwarded-proto"] = "https"
        assert http.post("/v1/tasks", json={"name": "mail"}).status_code == 201
        http.headers["origin"] = "https://evil.example"
        assert http.delete("/v1/tasks/mail").status_code == 403


def test_a_backup_of_a_server_that_goes_on_teaching_is_a_state_that_was_acknowledged(tmp_path):
    folder, backup, done = tmp_path / "tasks", tmp_path / "backup", Event()
    backup.mkdir()
    states = []
    with serving(folder) as client:
        client.post("/v1/tasks", json={"name": "mail"})
        teach(client)
    with serving(folder) as client:  # the first stop wrote a model file
        states.append(state_of(client))

        def go_on():
            while not done.is_set():
                states.append(teach(client)["state"])

        teaching = Thread(target=go_on)
        teaching.start()
        try:
            while len(states) < 5:
                time.sleep(0.01)
            shutil.copy2(folder / "mail.faast", backup)
            with (
                closing(sqlite3.connect(folder / "mail.faast-log")) as old,
                closing(sqlite3.connect(backup / "mail.faast-log")) as new,
            ):
                old.backup(new)
        finally:
            done.set()
            teaching.join()
    with serving(backup) as restored:
        assert restored.get("/v1/tasks").json()["unserved"] == {}
        assert state_of(restored) in states[4:]
