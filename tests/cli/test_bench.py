"""`faast bench` on tables of numbers."""

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    images, digits = load_digits(return_X_y=True)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    np.savez(folder / "train.npz", features=images[:900], label=digits[:900])
    np.savez(folder / "test.npz", features=images[900:], label=digits[900:])
    return folder


def test_few_shot_gives_intervals(folder, facts, ran):
    arguments = ("bench", "few-shot", "train.npz", "test.npz", "--episodes", "6", "--ways", "4")
    found = facts(*arguments, "--method", "gda", cwd=folder)
    assert 0.7 < found["faast_accuracy"] <= 1
    assert 0 < found["gda_half_interval"] < 0.2
    assert (
        facts(*arguments, "--method", "gda", cwd=folder)["faast_accuracy"]
        == (found["faast_accuracy"])
    )
    assert "6 episodes of 5 shots" in ran(*arguments, cwd=folder)


def test_full(folder, facts):
    found = facts("bench", "full", "train.npz", "test.npz", "--method", "gda", cwd=folder)
    assert found["faast_accuracy"] > 0.9
    assert found["gda_fit_seconds"] > 0


def test_streaming_equals_joint_training(folder, facts, ran):
    found = facts("bench", "streaming", "train.npz", "test.npz", cwd=folder)
    assert found["identical_to_joint"] is True
    assert found["accuracy"] == found["joint_accuracy"]
    assert "Accuracy on the classes so far" in ran(
        "bench", "streaming", "train.npz", "test.npz", cwd=folder
    )


def test_mistakes_are_one_line(folder, run):
    for arguments, message in (
        (("full", "train.npz", "test.npz", "--method", "magic"), "unknown method 'magic'"),
        (("few-shot", "train.npz", "test.npz", "--shots", "500"), "lower shots"),
        (("streaming", "train.npz", "test.npz", "--tasks", "9"), "tasks must be in 1 to 5"),
        (("efficiency", "--method", "magic"), "unknown method 'magic'"),
    ):
        done = run("bench", *arguments, cwd=folder)
        assert done.exit_code == 1
        assert message in done.stderr
        assert done.stderr.count("\n") == 1


def test_sensitivity_lists_every_exponent_beside_ours(folder, facts):
    found = facts("bench", "sensitivity", "train.npz", "test.npz", cwd=folder)
    alphas = [value for name, value in found.items() if name.startswith("alpha_")]
    assert len(alphas) == 6
    assert found["spread"] == max(alphas) - min(alphas)
    assert found["faast_accuracy"] > 0.5
