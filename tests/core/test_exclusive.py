"""One process or thread at a time changes a file: nobody's change is lost."""

import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from faast.core import locking
from faast.core.locking import LOCK_SUFFIX, exclusive

COUNTING = """
    import sys
    from pathlib import Path
    from faast.core.locking import exclusive
    path = Path(sys.argv[1])
    for _ in range(300):
        with exclusive(path):
            number = int(path.read_text())
            path.write_text(str(number + 1))
"""


def test_processes_take_turns(tmp_path):
    path = tmp_path / "number"
    path.write_text("0")
    command = [sys.executable, "-c", textwrap.dedent(COUNTING), path]
    for process in [subprocess.Popen(command) for _ in range(3)]:
        assert process.wait(120) == 0
    assert path.read_text() == "900"
    assert [entry.name for entry in tmp_path.iterdir()] == ["number"]


def test_threads_take_turns_under_every_name_of_a_file(tmp_path):
    path, link = tmp_path / "number", tmp_path / "link"
    path.write_text("0")
    link.symlink_to("number")

    def count(name):
        for _ in range(100):
            with exclusive(name):
                path.write_text(str(int(path.read_text()) + 1))

    threads = [threading.Thread(target=count, args=(name,)) for name in (path, link, str(path))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() == "300"


def test_who_waits_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr(locking, "PATIENCE_SECONDS", 0.05)
    path, told = tmp_path / "file", []
    entered = threading.Event()

    def wait():
        with exclusive(path, lambda: told.append(time.monotonic())):
            entered.set()

    with exclusive(path):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not entered.wait(0.4)
        assert len(told) == 1
    thread.join()
    assert len(told) == 1
    assert not list(tmp_path.iterdir())


def test_an_error_releases(tmp_path):
    with pytest.raises(RuntimeError, match="broken"), exclusive(tmp_path / "file"):
        raise RuntimeError("broken")
    with exclusive(tmp_path / "file"):
        assert [entry.name for entry in tmp_path.iterdir()] == [f".file{LOCK_SUFFIX}"]
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_a_child_forked_meanwhile_does_not_keep_the_lock(tmp_path):
    with exclusive(tmp_path / "file"):
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
    started = time.monotonic()
    try:
        with exclusive(tmp_path / "file"):
            assert time.monotonic() - started < 10
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
