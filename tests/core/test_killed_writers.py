"""Writers that are killed or cannot write: the file is the old or the new one, and whole.

`FAAST_KILLS` says how many writers are killed.
"""

import errno
import os
import resource
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import numpy as np
import pytest

import faast
from faast import FaastClassifier
from faast.core.atomic_files import TEMPORARY_SUFFIX, write_whole
from faast.core.locking import LOCK_SUFFIX

KILLS = int(os.environ.get("FAAST_KILLS", "300" if os.environ.get("FAAST_THOROUGH") else "60"))

KILLING = """
    import os, random, signal, sys, time
    from pathlib import Path
    from typer.testing import CliRunner
    import faast
    from faast.cli.main import app

    folder, kills = Path(sys.argv[1]), int(sys.argv[2])
    os.chdir(folder)
    random.seed(0)
    runner, model = CliRunner(), Path("model")
    faast.load("one").predict(["warm"])
    one, two = faast.load("one"), faast.load("two")
    contents = {Path("one").read_bytes(), Path("two").read_bytes()}

    def save():
        while True:
            one.save("model")
            two.save("model")

    def run():
        while True:
            change()

    def seconds(function):
        started = time.perf_counter()
        function()
        return time.perf_counter() - started

    def change():
        for command in ("add", "forget"):
            done = runner.invoke(app, [command, "model", "more.csv"])
            assert done.exit_code == 0, done.stderr

    model.write_bytes(Path("one").read_bytes())
    change()  # imports what it needs
    patience = [2 * seconds(change), 4 * seconds(lambda: one.save("model"))]

    seen, left = set(), 0
    for number in range(kills):
        model.write_bytes(Path("one").read_bytes())
        child = os.fork()
        if child == 0:
            sys.stderr.flush()
            save() if number % 2 else run()
        time.sleep(random.uniform(0, patience[number % 2]))
        finished, status = os.waitpid(child, os.WNOHANG)
        assert not finished, f"the writer failed by itself: {status}"
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = model.read_bytes()
        assert found in contents, f"kill {number} left a file that nobody saved"
        seen.add(found)
        left += len(list(folder.glob(".model*")))
    assert seen == contents, "no kill came after a save; the test shows nothing"
    one.save("model")
    print(left, [path.name for path in folder.glob(".model*")])
"""


def test_a_killed_writer_leaves_the_old_or_the_new_file(tmp_path):
    rows = "text,label\n" + "".join(f"text number {i},{'ab'[i % 2]}\n" for i in range(20))
    (tmp_path / "more.csv").write_text("text,label\nanother text,a\n")
    (tmp_path / "rows.csv").write_text(rows)
    for arguments in (
        ("learn", "rows.csv", "-o", "one"),
        ("add", "one", "more.csv", "-o", "two"),
    ):
        run_python("from faast.cli.main import main; main()", *arguments, cwd=tmp_path)
    done = run_python(textwrap.dedent(KILLING), str(tmp_path), str(KILLS), cwd=tmp_path)
    left, after = done.stdout.split(maxsplit=1)
    assert int(left) > 0, "no kill came during a save; the test shows nothing"
    assert after.strip() == "[]"


def run_python(code, *arguments, **options):
    """Run code in an own process with one thread, which can fork."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=1800,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture
def model():
    return FaastClassifier().fit(np.eye(4), ["a", "b", "a", "b"])


def test_a_full_disk_keeps_the_old_file(tmp_path, model):
    path = tmp_path / "model"
    model.save(path)
    before = path.read_bytes()
    model.partial_fit(np.eye(4), ["c", "d", "e", "f"])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size in (0, 100, len(before)):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            with pytest.raises(OSError, match="while writing; the old file is unchanged") as raised:
                model.save(path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert raised.value.errno == errno.EFBIG
        assert raised.value.filename == str(path)
        assert path.read_bytes() == before
        assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("call", ["os.fsync", "os.open", "os.chown", "pathlib.Path.replace"])
def test_an_error_of_any_call_keeps_a_whole_file(tmp_path, model, monkeypatch, call):
    path = tmp_path / "model"
    model.save(path)
    before = path.read_bytes()
    model.partial_fit(np.eye(4), ["c", "d", "e", "f"])

    message = None

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(call, fail)
        try:
            model.save(path)
        except OSError as error:
            message = str(error)
    if message is not None:
        assert "while writing; the old file is unchanged" in message
        assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
    faast.load(path)


def test_leftovers_of_dead_writers_are_removed_and_live_ones_kept(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    path = tmp_path / "model[1]"
    dead = [f".model[1].{'0' * 12}{TEMPORARY_SUFFIX}", f".model[1]{LOCK_SUFFIX}"]
    for name in dead:
        (tmp_path / name).touch()
    alive = tmp_path / f".model[1].{'1' * 12}{TEMPORARY_SUFFIX}"
    other = tmp_path / f".model2.{'1' * 12}{TEMPORARY_SUFFIX}"
    other.touch()
    with alive.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        write_whole(path, b"content")
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name, alive.name, other.name}


def test_a_name_that_is_too_long_for_the_temporary_file_is_refused(tmp_path, model):
    with pytest.raises(OSError, match="is too long; its folder takes"):
        model.save(tmp_path / ("x" * 245))
    model.save(tmp_path / ("x" * 225))


SAVING = """
    import sys, os, faast
    model = faast.load(sys.argv[1])
    if os.geteuid() == 0:
        os.setgid(65534), os.setuid(65534)
    try:
        model.save(sys.argv[2])
    except PermissionError as error:
        print("refused:", error)
"""


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs the rights of POSIX")
def test_no_permission_is_said_before_anything_is_written(model):
    with tempfile.TemporaryDirectory() as name:  # not below a folder that other users cannot enter
        folder, path = Path(name), Path(name) / "model"
        model.save(path)
        before = path.read_bytes()
        folder.chmod(0o555)
        path.chmod(0o444)
        for target in (path, folder / "new"):
            done = run_python(textwrap.dedent(SAVING), str(path), str(target), cwd=name)
            assert done.stdout.startswith(f"refused: no permission to write {target}")
        assert path.read_bytes() == before
        assert [entry.name for entry in folder.iterdir()] == ["model"]
        folder.chmod(0o700)
