"""Every error is one line, and its exit status tells a script whether to try again."""

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import faast
from faast.cli import add as adding
from faast.cli import learn as learning
from faast.cli.main import app

FULL = Path("/dev/full")


@pytest.fixture
def folder(tmp_path, ran):
    (tmp_path / "rows.csv").write_text("a,b,label\n0,1,x\n1,0,y\n")
    (tmp_path / "more.csv").write_text("a,b,label\n0.5,1,z\n")
    for model in ("model", "other"):
        ran("learn", "rows.csv", "-o", model, cwd=tmp_path)
    return tmp_path


def in_shell(*arguments, cwd, stdout, **options):
    code = "from faast.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        cwd=cwd,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        **options,
    )


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (MemoryError(), "not enough memory"),
        (MemoryError("cannot allocate 3 GB"), "not enough memory: cannot allocate 3 GB"),
        (RecursionError("maximum recursion depth"), "RecursionError: maximum recursion depth ("),
        (KeyError("moments"), "KeyError: 'moments' (FAAST_TRACEBACK=1 shows where)"),
        (IndexError("out of range"), "IndexError: out of range ("),
        (TypeError("not a number"), "TypeError: not a number ("),
        (AttributeError("no solve"), "AttributeError: no solve ("),
        (AssertionError(), "AssertionError: no message ("),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero ("),
        (StopIteration(), "StopIteration: no message ("),
        (ValueError("two\nlines \x1b[2J"), r"two lines \x1b[2J"),
        (OSError(errno.ENOSPC, "No space left", "model"), "model: No space left"),
    ],
)
def test_every_exception_is_one_line(folder, run, monkeypatch, raised, message):
    def fail(*_, **__):
        raise raised

    monkeypatch.setattr("faast.cli.inspect.load_model", fail)
    done = run("inspect", "model", cwd=folder)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {message}")
    assert len(done.stderr.splitlines()) == 1
    monkeypatch.setenv("FAAST_TRACEBACK", "1")
    done = run("inspect", "model", cwd=folder)
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"error: {message}")


def test_no_command_is_registered_without_the_report():
    import typer

    def leaves(command):
        found = getattr(command, "commands", None)
        return [command] if found is None else [x for one in found.values() for x in leaves(one)]

    for command in leaves(typer.main.get_command(app)):
        assert command.callback.__module__.startswith(("faast.cli", "typer")), command.name
        assert command.epilog, f"{command.name} was registered without add_command"


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_result_that_cannot_be_written_is_no_failure_of_what_was_saved(folder, json):
    with FULL.open("w") as full:
        done = in_shell("add", "model", "more.csv", *json, cwd=folder, stdout=full)
        assert done.returncode == 0
        assert done.stderr.startswith("model is saved; the result could not be written: ")
        assert faast.load(folder / "model").n_rows_ == 3
        for arguments in (
            ("forget", "model", "more.csv"),
            ("merge", "model", "other", "-o", "both"),
            ("learn", "rows.csv", "-o", "new"),
        ):
            assert in_shell(*arguments, *json, cwd=folder, stdout=full).returncode == 0
        for arguments in (("inspect", "model"), ("predict", "model", "rows.csv")):
            done = in_shell(*arguments, *json, cwd=folder, stdout=full)
            assert done.returncode == 1
            assert done.stderr.startswith("error: ")
            assert len(done.stderr.splitlines()) == 1


def test_a_closed_pipe_is_no_failure_of_what_was_saved(folder):
    reading, writing = os.pipe()
    os.close(reading)
    done = in_shell("add", "model", "more.csv", cwd=folder, stdout=writing)
    os.close(writing)
    assert done.returncode == 0
    assert faast.load(folder / "model").n_rows_ == 3


def test_a_full_disk_is_one_line_and_the_old_file_stays(folder):
    before = (folder / "model").read_bytes()

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    for arguments in (("add", "model", "more.csv"), ("merge", "model", "other", "-o", "model")):
        done = in_shell(*arguments, cwd=folder, stdout=subprocess.PIPE, preexec_fn=limit)
        assert done.returncode == 1
        assert done.stderr.endswith("while writing; the old file is unchanged\n")
        assert len(done.stderr.splitlines()) == 1
        assert (folder / "model").read_bytes() == before
        assert not list(folder.glob(".model*"))


@pytest.mark.parametrize("command", ["add", "forget", "merge", "learn"])
def test_an_output_that_cannot_be_written_is_found_before_the_work(
    folder, run, monkeypatch, command
):
    def work(*_, **__):
        raise AssertionError("worked")

    monkeypatch.setattr(adding, "load_model", work)
    monkeypatch.setattr("faast.cli.forget.load_model", work)
    monkeypatch.setattr("faast.cli.merge.load_model", work)
    monkeypatch.setattr(learning, "new_classifier", work)
    inputs = {"merge": ("model", "model"), "learn": ("rows.csv",)}.get(
        command, ("model", "more.csv")
    )
    for output, message in (
        ("none/model", "there is no folder"),
        (".", "is not a file"),
        ("x" * 250, "is too long"),
    ):
        done = run(command, *inputs, "-o", output, cwd=folder)
        assert done.exit_code == 1
        assert message in done.stderr
        assert "worked" not in done.stderr


def test_a_table_that_nests_or_breaks_is_one_line(folder, run):
    (folder / "deep.jsonl").write_text("[" * 100_000)
    np.savez(folder / "odd.npz", features=np.zeros((2, 2, 2)), label=[1, 2])
    for table in ("deep.jsonl", "odd.npz"):
        done = run("learn", table, "-o", "x", cwd=folder)
        assert done.exit_code == 1
        assert len(done.stderr.splitlines()) == 1
        assert not (folder / "x").exists()
