"""`faast watch` on files."""

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture
def folder(tmp_path, ran):
    rows, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(rows))
    rows, labels = rows[order], labels[order]
    np.savez(tmp_path / "train.npz", features=rows[:500], label=labels[:500])
    np.savez(tmp_path / "same.npz", features=rows[500:800], label=labels[500:800])
    changed = np.concatenate([rows[500:600], rows[600:700, ::-1]])
    np.savez(tmp_path / "changed.npz", features=changed, label=labels[500:700])
    ran("learn", "train.npz", "--novelty", "-o", "model", cwd=tmp_path)
    return tmp_path


def test_a_stream_without_a_change_is_calm(folder, facts, run):
    found = facts("watch", "model", "same.npz", cwd=folder)
    assert found["alarm"] is False
    assert found["rows"] == 300
    assert 0 <= found["evidence"] < 1
    assert len(found["rows_to_label"]) == 10
    assert abs(sum(share for _, _, share in found["shares"]) - 1) < 1e-9
    assert "alarm" not in run("watch", "model", "same.npz", cwd=folder).stderr


def test_a_change_is_told_as_it_comes_and_drawn(folder, facts, run):
    pytest.importorskip("matplotlib")
    done = run("watch", "model", "changed.npz", "--plot", "e.png", "-n", "3", cwd=folder)
    assert done.exit_code == 0
    assert "alarm at row 1" in done.stderr
    assert "shares of classes" in done.stdout
    assert (folder / "e.png").stat().st_size > 1000
    found = facts("watch", "model", "changed.npz", "--alarm-rate", "0.001", cwd=folder)
    assert found["alarm"] is True
    assert found["changed"] == "novelty"
    assert 100 <= found["alarm_row"] <= 140


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model", "same.npz", "--alarm-rate", "2"), "alarm_rate must be a number between 0 and 1"),
        (("model", "nowhere.npz"), "there is no file nowhere.npz"),
        (("model", "same.npz", "--plot", "x.odd"), "odd"),
    ],
)
def test_impossible_watches_are_refused(folder, run, arguments, message):
    done = run("watch", *arguments, cwd=folder)
    assert done.exit_code == 1
    assert message in done.stderr
