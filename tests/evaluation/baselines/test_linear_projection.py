"""Training by backprop."""

import sys

import numpy as np
import pytest

from faast.evaluation.baselines import LinearProjection, ZeroShot

torch = pytest.importorskip("torch")


def test_training_improves_on_zero_shot(draw):
    problem = draw(shots=16, noise=0.4)
    before = ZeroShot(problem.class_embeddings).fit(problem.X, problem.y)
    after = LinearProjection(problem.class_embeddings, patience=None).fit(problem.X, problem.y)
    assert log_loss(after, problem) < log_loss(before, problem)


def test_no_epochs_is_zero_shot(problem):
    untrained = LinearProjection(problem.class_embeddings, epochs=0).fit(problem.X, problem.y)
    expected = ZeroShot(problem.class_embeddings).fit(problem.X, problem.y)
    np.testing.assert_allclose(
        untrained.decision_function(problem.queries), expected.decision_function(problem.queries)
    )


def test_global_torch_generator_is_left_alone(problem):
    before = torch.get_rng_state()
    LinearProjection(problem.class_embeddings).fit(problem.X, problem.y)
    assert torch.equal(torch.get_rng_state(), before)


def test_missing_torch_names_the_install(problem, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r'pip install "faast\[bench\]"'):
        LinearProjection().fit(problem.X, problem.y)


def log_loss(model, problem):
    columns = np.searchsorted(model.classes_, problem.answers)
    return -np.log(model.predict_proba(problem.queries)[np.arange(len(columns)), columns]).mean()
