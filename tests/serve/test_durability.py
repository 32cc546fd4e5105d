"""What was acknowledged survives kill -9, and damaged files are named, not served."""

import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from faast import TextClassifier
from faast.serve.problems import RequestError
from faast.serve.tasks.folder import TaskFolder
from faast.serve.tasks.records import NewRow, Plan
from faast.serve.tasks.replay import LogMismatchError
from faast.serve.tasks.state import TaskState
from faast.serve.tasks.storage import create_task
from faast.serve.tasks.task import Task
from tests.serve.killed import change_as_told

KILLS = int(os.environ.get("FAAST_KILLS", "20"))
"""Times that a process is killed while it changes a task."""


class Server:
    """`faast serve` on a folder."""

    def __init__(self, folder):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "faast", "serve", str(folder), "--port", "0", "--json"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.client = httpx.Client(
            base_url=json.loads(self.process.stdout.readline())["address"], timeout=60
        )

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(60)
        self.process.stdout.close()
        self.client.close()
        return self.process.returncode


def fitted(rows):
    if not rows:
        return TaskState(TextClassifier()).hash
    texts, labels = zip(*rows, strict=True)
    return TaskState(TextClassifier().fit(list(texts), list(labels))).hash


def test_the_command_serves_until_it_is_stopped_and_starts_from_the_snapshot(tmp_path):
    server = Server(tmp_path / "new")
    assert server.client.post("/v1/tasks", json={"name": "mail"}).status_code == 201
    rows = [{"text": "lost card", "label": "card"}, {"text": "top up", "label": "top up"}]
    state = server.client.post("/v1/tasks/mail/rows", json={"rows": rows}).json()["state"]
    assert "<html" in server.client.get("/").text
    assert server.end(signal.SIGINT) in (0, 130, -signal.SIGINT)
    assert TaskState.load(tmp_path / "new" / "mail.faast").hash == state


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path):
    """A child changes a task as told, and is killed at a random moment; the parent starts it anew.

    The change under way may be in the log or not, but whole.
    """
    create_task(tmp_path, "mail")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.serve.killed"])
    drawn = random.Random(0)
    known = {}  # acknowledged rows by number
    for kill in range(KILLS):
        known, possible = change_until_killed(context, tmp_path, drawn, known)
        task = Task(tmp_path, "mail")
        rows = {row.id: (row.text, row.label, row.source) for row in task.rows()}
        assert rows == known or sorted(rows.values()) == sorted(possible.values()), kill
        known = rows
        n_changes = task.history(1)[0].position
        assert task.state.hash == fitted([row[:2] for row in rows.values()])
        if kill % 2:
            task.close()
        else:  # without a snapshot, as after a kill
            task._closing.close()
    assert n_changes > 1


def change_until_killed(context, folder, drawn, known):
    """Return the acknowledged rows, and those there would be with the change under way."""
    ours, theirs = context.Pipe()
    child = context.Process(target=change_as_told, args=(str(folder), theirs))
    child.start()
    theirs.close()
    assert ours.recv() == "ready"
    killing = threading.Timer(drawn.uniform(0.0, 0.3), child.kill)
    killing.start()
    with contextlib.closing(ours):
        while True:
            possible, command = draw(drawn, known)
            try:
                ours.send(command)
                number = ours.recv()
            except (EOFError, OSError):
                child.join()
                killing.join()
                return known, possible
            known = {number if key is None else key: row for key, row in possible.items()}


def draw(drawn, known):
    """Return the rows after a random change, the new one under None, and the change."""
    kind = drawn.choice(["teach", "teach", "teach", "correct", "forget", "forget_source"])
    number = drawn.choice(sorted(known)) if known else None
    if kind == "teach" or number is None:
        row = f"text {drawn.randrange(50)}", f"label {drawn.randrange(4)}", f"s{drawn.randrange(9)}"
        return known | {None: row}, ("teach", *row)
    text, label, source = known[number]
    if kind == "correct":
        other = f"label {(int(label[-1]) + 1) % 5}"
        return known | {number: (text, other, source)}, ("correct", number, other)
    if kind == "forget":
        return {n: row for n, row in known.items() if n != number}, ("forget", number)
    left = {n: row for n, row in known.items() if row[2] != source}
    return left, ("forget_source", source)


@pytest.fixture
def task(tmp_path):
    create_task(tmp_path, "mail")
    task = Task(tmp_path, "mail")
    task.teach([NewRow("lost card", "card", "ann"), NewRow("top up", "top up", "bob")])
    yield task
    task._closing.close()


def reopened(task, folder):
    task._closing.close()
    return Task(folder, "mail")


def test_a_kill_between_the_change_and_the_erasure_erases_at_the_next_start(task, tmp_path):
    before = task.state.hash
    steps = task._log.forgetting("source", "bob")
    plan = Plan("forget source", steps, undoable=False, erase="bob")
    task._log.append(plan, before, fitted([("lost card", "card")]), None)
    task = reopened(task, tmp_path)
    assert task.state.hash == fitted([("lost card", "card")]) != before
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"top up" not in files
    assert b"bob" not in files
    task._closing.close()


def test_a_model_file_that_another_program_changed_is_refused(task, tmp_path):
    task.close()
    TextClassifier().fit(["other"], ["label"]).save(tmp_path / "mail.faast")
    with pytest.raises(LogMismatchError, match="changed by another program"):
        Task(tmp_path, "mail")


def test_a_log_that_was_changed_is_refused(task, tmp_path):
    task._closing.close()
    with sqlite3.connect(tmp_path / "mail.faast-log") as connection:
        connection.execute("UPDATE steps SET new_label = 'card' WHERE row = 2")
    connection.close()
    with pytest.raises(LogMismatchError, match="damaged or changed"):
        Task(tmp_path, "mail")


def test_a_model_file_from_before_an_erasure_is_refused(task, tmp_path):
    task._snapshot()
    shutil.copy(tmp_path / "mail.faast", tmp_path / "backup")
    task.teach([NewRow("refund", "refund", "ann")])
    task.forget_source("bob")
    task._closing.close()
    shutil.copy(tmp_path / "backup", tmp_path / "mail.faast")
    with pytest.raises(LogMismatchError, match="older than a forgotten source"):
        Task(tmp_path, "mail")


def test_the_same_task_is_served_once(task, tmp_path):
    folder = TaskFolder(tmp_path)
    assert "in use by another process" in folder.unserved["mail"]


def test_a_change_that_cannot_be_written_is_not_acknowledged_and_not_seen(task):
    before, rows = task.state, task.rows()
    task._log._writer.execute("PRAGMA query_only = ON")  # as on a disk that is full
    with pytest.raises(RequestError, match="not acknowledged") as raised:
        task.teach([NewRow("refund", "refund")])
    assert raised.value.status_code == 507
    assert task.state is before
    task._log._writer.execute("PRAGMA query_only = OFF")
    assert task.rows() == rows
    task.teach([NewRow("refund", "refund")])


def test_a_full_disk_after_the_change_leaves_the_erasure_for_later(task, tmp_path, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(TextClassifier, "save", lambda model, path: full(path))
        with pytest.raises(RequestError, match="could not be erased yet"):
            task.forget_source("bob")
        assert task.state.hash == fitted([("lost card", "card")])
        task = reopened(task, tmp_path)  # the disk is still full: the rows must still be there
        assert task.state.hash == fitted([("lost card", "card")])
    task.forget_source("ann")
    assert not task.state.n_rows
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    task._closing.close()
    assert b"top up" not in files
    assert b"lost" not in files


@contextlib.contextmanager
def held(task, folder):
    """Read the log of a task for longer than it waits."""
    task._log._writer.execute("PRAGMA busy_timeout = 20")
    reader = sqlite3.connect(folder / "mail.faast-log", isolation_level=None)
    with contextlib.closing(reader):
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM rows").fetchall()
        yield


def test_a_source_is_to_be_erased_until_no_file_has_copies(task, tmp_path):
    with (
        held(task, tmp_path),
        pytest.raises(RequestError, match="could not be erased yet"),
    ):
        task.forget_source("bob")
    assert task._log.is_erasing


@pytest.mark.parametrize("restarted", [False, True])
def test_a_row_that_comes_before_its_source_is_erased_is_lost_from_neither(
    task, tmp_path, restarted
):
    with held(task, tmp_path):
        with pytest.raises(RequestError, match="could not be erased yet"):
            task.forget_source("bob")
        task.teach([NewRow("a second row", "top up", "bob")])
    if restarted:
        task = reopened(task, tmp_path)
        assert [row.text for row in task.rows()] == ["lost card", "a second row"]
        assert task.state.hash == fitted([("lost card", "card"), ("a second row", "top up")])
    certificate = task.forget_source("bob")
    assert certificate.rows_forgotten == 1
    assert certificate.state_after == task.state.hash == fitted([("lost card", "card")])
    assert [row.text for row in task.rows()] == ["lost card"]
    with pytest.raises(RequestError, match="no row has the source"):
        task.forget_source("bob")
    task = reopened(task, tmp_path)
    assert task.state.hash == certificate.state_after
    task._closing.close()


def test_rows_that_are_kept_again_stay_when_those_before_are_erased(task, tmp_path):
    with held(task, tmp_path):
        for keep in (False, True):
            with pytest.raises(RequestError, match="could not be erased yet"):
                task.set_keep_rows(keep)
        task.teach([NewRow("refund", "refund")])
    task = reopened(task, tmp_path)
    assert [row.text for row in task.rows()] == [None, None, "refund"]
    task._closing.close()


def test_an_erasure_that_was_late_has_the_certificate_of_its_change(task, tmp_path):
    before = task.state.hash
    with held(task, tmp_path):
        for source in ("bob", "ann"):
            with pytest.raises(RequestError, match="could not be erased yet"):
                task.forget_source(source)
    between = fitted([("lost card", "card")])
    assert task.forget_source("bob")[2:] == (1, before, between)
    hashes = [before.encode(), between.encode()]
    task.close()
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(found in files for found in hashes)


def test_neither_the_history_nor_the_model_tells_of_a_forgotten_source(task, tmp_path):
    before = task.state.hash
    task.rename_class("top up", "money")
    after = task.forget_source("bob").state_after
    assert [change.state for change in task.history(9)] == [after, "", "", ""]
    assert before.encode() not in (tmp_path / "mail.faast-log").read_bytes()
    assert task.state.model.class_history_ == ()
    assert b"money" not in task.export() + (tmp_path / "mail.faast").read_bytes()
    task.rename_class("card", "cards")
    state = task.state.hash
    assert reopened(task, tmp_path).state.hash == state


def test_a_deleted_task_takes_no_change_and_leaves_no_file(task, tmp_path):
    task.delete()
    with pytest.raises(RequestError, match="deleted"):
        task.teach([NewRow("refund", "refund")])
    with pytest.raises(RequestError, match="deleted"):
        task.rows()
    assert list(tmp_path.iterdir()) == []


def test_a_start_replays_only_what_follows_the_snapshot(task, tmp_path, monkeypatch):
    monkeypatch.setattr("faast.serve.tasks.storage.SNAPSHOT_CHANGES", 3)
    for i in range(4):
        task.teach([NewRow(f"refund {i}", "refund")])
    assert task._log.position_of(TaskState.load(tmp_path / "mail.faast").hash) == 3
    state = task.state.hash
    task = reopened(task, tmp_path)
    assert (task._saved, task.state.hash) == (3, state)
    task.close()


def test_readers_see_only_states_that_existed_and_their_own_changes(tmp_path):
    """Threads teach and ask at once: every answer is that of a state of the history."""
    create_task(tmp_path, "mail")
    task = Task(tmp_path, "mail")
    task.teach([NewRow("lost card", "card"), NewRow("top up", "top up")])
    ends = time.monotonic() + 1.0
    with ThreadPoolExecutor(5) as pool:
        teachers = [pool.submit(teach_until, ends, task, f"c{i}") for i in range(2)]
        readers = [pool.submit(ask_until, ends, task) for _ in range(3)]
        for teacher in teachers:
            teacher.result()
        seen = [answer for reader in readers for answer in reader.result()]
    assert {state for state, _ in seen} <= {change.state for change in task.history(10**6)}
    answers = {}
    for state, shares in seen:
        assert answers.setdefault(state, shares) == shares
    assert task.state.hash == fitted([(row.text, row.label) for row in task.rows()])
    task.close()


def teach_until(ends, task, label):
    """Teach and forget rows; what was acknowledged must be seen at once."""
    while time.monotonic() < ends:
        _, (number,) = task.teach([NewRow(f"{label} {time.monotonic()}", label)])
        assert label in task.state.classes
        assert task.row(number).label == label
        if task.state.n_rows > 12:
            task.forget(number)


def ask_until(ends, task):
    """Return the state and the probabilities of every answer."""
    seen = []
    while time.monotonic() < ends:
        state = task.state
        (shares,) = state.probabilities(state.encode(["lost card"])).tolist()
        assert len(shares) == len(state.classes)
        seen.append((state.hash, shares))
    return seen
