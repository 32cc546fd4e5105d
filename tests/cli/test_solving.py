"""How often commands solve for the weights: when a file is written, and at no other time."""

import numpy as np
import pytest

from faast.solvers.gaussian import GaussianClasses

N_ROWS, N_CLASSES = 5000, 5
PART = 1000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("solving")
    random = np.random.default_rng(0)
    labels = np.arange(N_ROWS) % N_CLASSES
    rows = random.standard_normal((N_ROWS, 8)) + labels[:, None]
    rows = np.round(64 * rows) / 1024
    np.savez(folder / "all.npz", features=rows, label=labels)
    np.savez(folder / "kept.npz", features=rows[:PART], label=labels[:PART])
    np.savez(folder / "rest.npz", features=rows[PART:], label=labels[PART:])
    return folder


@pytest.fixture
def solved(monkeypatch, ran):
    """Return a function that runs a command and counts how often sums are prepared for solving."""
    counts = []
    summarise = GaussianClasses.from_moments

    def counting(*args, **kwargs):
        counts.append(1)
        return summarise(*args, **kwargs)

    monkeypatch.setattr(GaussianClasses, "from_moments", counting)

    def solved(*arguments, cwd):
        counts.clear()
        ran(*arguments, cwd=cwd)
        return len(counts)

    return solved


def test_adding_solves_once_however_many_batches_there_are(folder, solved):
    whole = solved("learn", "all.npz", "-o", "all", cwd=folder)
    assert whole > 0
    solved("learn", "kept.npz", "-o", "kept", cwd=folder)
    assert solved("add", "kept", "rest.npz", "-o", "grown", cwd=folder) == whole


def test_forgetting_solves_once_however_many_batches_there_are(folder, solved):
    once = solved("learn", "kept.npz", "-o", "kept", cwd=folder)
    solved("learn", "all.npz", "-o", "all", cwd=folder)
    assert solved("forget", "all", "rest.npz", "-o", "rest", cwd=folder) == once
    assert (folder / "rest").read_bytes() == (folder / "kept").read_bytes()


def test_merging_solves_once(folder, solved):
    whole = solved("learn", "all.npz", "-o", "all", cwd=folder)
    solved("learn", "kept.npz", "-o", "first", cwd=folder)
    solved("learn", "rest.npz", "-o", "second", cwd=folder)
    assert solved("merge", "first", "second", "-o", "both", cwd=folder) == whole


def test_a_saved_model_is_never_solved_again(folder, solved):
    pytest.importorskip("onnx")
    solved("learn", "kept.npz", "-o", "model", cwd=folder)
    for arguments in (
        ("inspect", "model"),
        ("predict", "model", "rest.npz"),
        ("evaluate", "model", "rest.npz"),
        ("export", "model", "--onnx", "model.onnx"),
    ):
        assert solved(*arguments, cwd=folder) == 0
