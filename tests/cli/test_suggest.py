"""`faast suggest` on files."""

import csv
import io

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture
def folder(tmp_path, ran):
    (tmp_path / "train.csv").write_text(
        "text,label\nlost my card,card\nnew card please,card\nno cash came,cash\ncash gone,cash\n"
    )
    (tmp_path / "pool.txt").write_text(
        "where is my card\n\nwhat is the exchange rate\ngood rate\ncash missing\n"
    )
    ran("learn", "train.csv", "-o", "model", cwd=tmp_path)
    return tmp_path


def test_rows_are_suggested_with_their_texts(folder, run, facts):
    done = run("suggest", "model", "pool.txt", "-n", "2", cwd=folder)
    found = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [*found[0]] == ["line", "label", "doubt", "distance", "gain", "text"]
    assert len(found) == 2
    lines = (folder / "pool.txt").read_text().splitlines()
    assert all(lines[int(row["line"]) - 1] == row["text"] for row in found)
    assert {row["text"] for row in found} & {"what is the exchange rate", "good rate"}
    assert "rows in pool: 4" in done.stderr
    before = (folder / "model").read_bytes()
    piped = facts("suggest", "model", "-", cwd=folder, stdin=(folder / "pool.txt").read_text())
    assert len(piped["lines"]) == 4
    assert (folder / "model").read_bytes() == before


def test_arrays_and_labelled_rows_are_pools_too(tmp_path, ran, facts):
    rows, labels = load_digits(return_X_y=True)
    np.savez(tmp_path / "train.npz", features=rows[:50], label=labels[:50])
    np.savez(tmp_path / "pool.npz", features=rows[50:800], label=labels[50:800])
    ran("learn", "train.npz", "-o", "model", cwd=tmp_path)
    found = facts("suggest", "model", "pool.npz", cwd=tmp_path)
    assert found["rows_in_pool"] == 750
    assert len(found["rows"]) == len(set(found["rows"])) == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model", "empty.txt"), "holds no rows"),
        (("model", "nowhere.txt"), "there is no file nowhere.txt"),
        (("model", "pool.txt", "-n", "5000"), "n must be a number of rows from 1 to 4,096"),
    ],
)
def test_impossible_pools_are_refused(folder, run, arguments, message):
    (folder / "empty.txt").write_text("")
    done = run("suggest", *arguments, cwd=folder)
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stdout == ""
