"""Several commands at once on one model file lose nothing, and none of them reports too much."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import faast
from faast.core.locking import exclusive

ROUNDS = 50
"""Each of two processes adds a row in every round, and forgets one in the next: 200 commands."""

CHANGING = """
    import sys
    from typer.testing import CliRunner
    from faast.cli.main import app

    mine, rounds = sys.argv[1], int(sys.argv[2])
    for number in range(rounds):
        for command, row in (("add", number), ("forget", number)):
            if command == "forget" and number % 5 == 0:
                command, row = "add", f"{number}b"
            done = CliRunner().invoke(app, [command, "model", f"{mine}{row}.csv"])
            assert done.exit_code == 0, done.stderr
"""


def write_table(path, rows, labels):
    lines = [",".join([*map(repr, row), label]) for row, label in zip(rows, labels, strict=True)]
    path.write_text("\n".join(["a,b,c,d,label", *lines]) + "\n")


@pytest.fixture
def folder(tmp_path, rng):
    rows = rng.standard_normal((20, 4))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    write_table(tmp_path / "base.csv", rows.tolist(), ["yes", "no"] * 10)
    return tmp_path


def start(code, *arguments, cwd):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *arguments]
    return subprocess.Popen(command, cwd=cwd, env=environment, stderr=subprocess.PIPE, text=True)


def test_adds_and_forgets_of_two_processes_are_all_kept(folder, ran, rng):
    kept = []
    for mine in "pq":
        for number in range(ROUNDS):
            for name in (number, f"{number}b"):
                row = rng.standard_normal(4)
                row = (row / np.linalg.norm(row)).tolist()
                write_table(folder / f"{mine}{name}.csv", [row], ["yes"])
                if number % 5 == 0:
                    kept.append(row)
    ran("learn", "base.csv", "-o", "model", cwd=folder)
    for process in [start(CHANGING, mine, str(ROUNDS), cwd=folder) for mine in "pq"]:
        _, stderr = process.communicate(timeout=600)
        assert process.returncode == 0, stderr
    assert not list(folder.glob(".model*"))
    write_table(folder / "kept.csv", kept, ["yes"] * len(kept))
    ran("learn", "base.csv", "-o", "batch", cwd=folder)
    ran("add", "batch", "kept.csv", cwd=folder)
    assert (folder / "model").read_bytes() == (folder / "batch").read_bytes()
    assert faast.load(folder / "model").n_rows_ == 20 + len(kept)


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "model", "base.csv"),
        ("add", "other", "base.csv", "-o", "model"),
        ("forget", "model", "more.csv"),
        ("merge", "other", "model", "-o", "model"),
        ("learn", "base.csv", "-o", "model"),
    ],
)
def test_a_command_waits_for_the_file_it_changes_and_says_so(folder, ran, arguments):
    write_table(folder / "more.csv", [[1.0, 0.0, 0.0, 0.0]], ["yes"])
    ran("learn", "base.csv", "-o", "model", cwd=folder)
    ran("add", "model", "more.csv", cwd=folder)
    ran("learn", "base.csv", "-o", "other", cwd=folder)
    before = (folder / "model").read_bytes()
    main = "from faast.cli.main import main; main()"
    with exclusive(folder / "model"):
        process = start(main, *arguments, cwd=folder)
        told = process.stderr.readline()
        assert told == "waiting for another process that is changing model\n"
        assert (folder / "model").read_bytes() == before
    assert process.wait(60) == 0
    process.stderr.close()
    assert (folder / "model").read_bytes() != before
    assert not list(folder.glob(".model*"))
