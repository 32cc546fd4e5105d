"""A deleted task is gone; one whose deletion or creation failed can be deleted and created."""

import sqlite3
from pathlib import Path

import pytest

from faast import TextClassifier
from faast.serve.problems import RequestError
from faast.serve.tasks.folder import TaskFolder
from faast.serve.tasks.records import NewRow

ROW = NewRow("lost card", "card", "ann")


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def folder(tmp_path):
    folder = TaskFolder(tmp_path)
    yield folder
    folder.close()


def imported(folder):
    """Return a task with a model file and a log with rows."""
    TextClassifier().fit(["top up", "refund"], ["top up", "refund"]).save(folder.path / "given")
    task = folder.adopt("mail", folder.path / "given")
    task.teach([ROW])
    return task


def stopping_at(monkeypatch, name, error):
    """Let the removal of a file end with an error."""
    unlink = Path.unlink

    def stop(path, missing_ok=False):
        if path.name == name:
            raise error
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", stop)


@pytest.mark.parametrize("name", ["mail.faast-log", "mail.faast-log-wal", "mail.faast"])
def test_a_kill_while_deleting_leaves_a_task_that_can_be_deleted(tmp_path, monkeypatch, name):
    task = imported(TaskFolder(tmp_path))
    with monkeypatch.context() as broken:
        stopping_at(broken, name, Killed())
        with pytest.raises(Killed):
            task.delete()
    task._closing.close()
    folder = TaskFolder(tmp_path)
    assert not folder.unserved
    assert (len(folder.task("mail").rows()), folder.task("mail").state.n_rows) in {(0, 2), (1, 3)}
    folder.delete("mail")
    assert list(tmp_path.iterdir()) == []
    assert folder.create("mail").rows() == []
    folder.close()


def test_a_deletion_that_fails_leaves_a_task_that_goes_on(folder, monkeypatch):
    task = imported(folder)
    with monkeypatch.context() as broken:
        stopping_at(broken, "mail.faast-log", PermissionError(13, "denied"))
        with pytest.raises(RequestError, match="could not be deleted") as raised:
            folder.delete("mail")
    assert raised.value.status_code == 507
    task.teach([ROW])
    assert (len(task.rows()), task.state.n_rows) == (2, 4)
    folder.delete("mail")
    assert list(folder.path.iterdir()) == []


def test_what_a_deleted_log_left_does_not_come_back(folder, tmp_path):
    task = folder.create("mail")
    task.teach([ROW])
    names = [f"mail.faast-log{end}" for end in ("-wal", "-shm")]
    left = {name: (tmp_path / name).read_bytes() for name in names}
    folder.delete("mail")
    for name, content in left.items():
        (tmp_path / name).write_bytes(content)
    assert folder.create("mail").rows() == []  # the running process
    folder.delete("mail")
    for name, content in left.items():
        (tmp_path / name).write_bytes(content)
    TaskFolder(tmp_path)  # the next start
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_is_not_served_can_be_deleted(tmp_path):
    (tmp_path / "mail.faast-log").write_bytes(b"no log")
    folder = TaskFolder(tmp_path)
    assert "mail" in folder.unserved
    folder.delete("mail")
    assert folder.create("mail").rows() == []
    other = TaskFolder(tmp_path)
    with pytest.raises(RequestError, match="in use by another process"):
        other.delete("mail")
    folder.close()


@pytest.mark.parametrize("error", [ValueError("malformed"), sqlite3.OperationalError("full")])
def test_a_task_that_cannot_be_created_leaves_its_name_free(tmp_path, error):
    def fail(path, name):
        raise error

    with pytest.raises(RequestError, match="could not be written") as raised:
        TaskFolder(tmp_path, open_task=fail).create("mail")
    assert raised.value.status_code == 507
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_snapshot_left_goes_with_the_rows(folder):
    task = folder.create("mail")
    task.teach([ROW])
    (folder.path / ".mail.faast.0123456789ab.faast-tmp").write_bytes(b"card")
    task.forget_source("ann")
    assert not [path for path in folder.path.iterdir() if b"card" in path.read_bytes()]
