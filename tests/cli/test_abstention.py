"""Answers that are withheld on the command line, and the curve of accuracy against coverage."""

import csv
import io
import json

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("digits")
    images, labels = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(np.where(labels < 9)[0])
    parts = {"train": rows[:600], "test": rows[600:1000], "nines": np.where(labels == 9)[0]}
    for name, chosen in parts.items():
        np.savez(path / f"{name}.npz", features=images[chosen] / 64, label=labels[chosen])
    return path


@pytest.fixture
def model(folder, ran):
    if not (folder / "model").exists():
        ran("learn", "train.npz", "-o", "model", "--novelty", cwd=folder)
    return folder / "model"


def test_labels_are_left_empty_where_a_precision_would_not_be_kept(folder, model, run):
    done = run("predict", "model", "test.npz", "--min-precision", "0.97", cwd=folder)
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    empty = [row["label"] == "" for row in rows]
    assert 0 < sum(empty) < len(rows) / 2
    assert all((row["no_answer"] == "unsure") == gap for row, gap in zip(rows, empty, strict=True))
    assert f"no answer for {sum(empty)} of {len(rows)} rows ({sum(empty)} unsure)" in done.stderr
    truth = np.load(folder / "test.npz")["label"]
    right = [int(r["label"]) == t for r, t in zip(rows, truth, strict=True) if r["label"]]
    assert np.mean(right) > 0.97


def test_rows_of_no_class_get_no_answer(folder, model, facts):
    for name, least, most in (("nines", 0.3, 1.0), ("test", 0.01, 0.1)):
        found = facts("predict", "model", f"{name}.npz", "--none-of-these", "0.05", cwd=folder)
        share = found["no_answer"].count("none of these") / found["rows"]
        assert least <= share <= most
        assert found["labels"].count(None) == found["rows_without_answer"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--min-precision", "0.9999"), "can be reached, with answers for"),
        (("--min-precision", "95"), "precision must be a number between 0 and 1"),
        (("--none-of-these", "0"), "none_of_these must be a number between 0 and 1"),
    ],
)
def test_a_promise_that_cannot_be_kept_is_an_error(folder, model, run, options, message):
    done = run("predict", "model", "test.npz", *options, cwd=folder)
    assert done.exit_code == 1
    assert message in done.stderr
    assert done.stdout == ""


def test_novelty_has_to_be_learned(folder, run, ran):
    ran("learn", "train.npz", "-o", "plain", cwd=folder)
    done = run("predict", "plain", "test.npz", "--none-of-these", "0.05", cwd=folder)
    assert done.exit_code == 1
    assert "faast learn --novelty" in done.stderr


def test_the_curve_of_accuracy_against_coverage(folder, model, run):
    pytest.importorskip("matplotlib")
    done = run("evaluate", "model", "test.npz", "--curve", "curve.png", "--json", cwd=folder)
    found = json.loads(done.stdout)
    coverage, accuracy = found["curve_coverage"], found["curve_accuracy"]
    assert coverage[0] == 1.0
    assert accuracy[0] == found["accuracy"]
    assert coverage == sorted(coverage, reverse=True)
    assert accuracy[-1] >= accuracy[0]
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    shown = run("evaluate", "model", "test.npz", cwd=folder).stdout
    assert "accuracy if the least sure rows get no answer" in shown
