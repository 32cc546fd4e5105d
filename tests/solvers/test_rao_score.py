"""Residuals depend on products of features where classes are curved, and by chance where not."""

import numpy as np
import pytest
from scipy.special import softmax

from faast.core.grid import Grid
from faast.core.sample import RowSample
from faast.solvers.auto import EVIDENCE
from faast.solvers.rao_score import products_score, residuals_of

GRID = Grid(20)


def score(rng, logits_of, n_rows=3000, width=8, weights=None):
    """Score rows whose classes are drawn from known logits, given the linear part of these."""
    X = rng.standard_normal((n_rows, width))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    linear = 8 * X @ rng.standard_normal((width, 4))
    logits = linear + logits_of(X)
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    weights = np.ones(n_rows) if weights is None else weights
    keys = GRID.rounded(X).astype(np.int32)
    sample = RowSample(keys, np.eye(4, dtype=np.int32)[y], weights, n_rows)
    order = np.argsort([key.tobytes() for key in keys])
    place = {keys[i].tobytes(): i for i in order}
    rows = [place[key.tobytes()] for key in sample.keys]
    return products_score(sample, GRID, residuals_of(linear[rows], y[rows], weights[rows]))


def curved(X):
    return 60 * np.stack([X[:, 0] * X[:, 1], X[:, 2] * X[:, 3], *np.zeros((2, len(X)))], axis=1)


def test_linear_classes_pass_only_by_chance():
    scores = [score(np.random.default_rng(seed), lambda X: 0.0) for seed in range(40)]
    assert np.mean(np.array(scores) > EVIDENCE) <= 0.05
    assert abs(np.median(scores)) < 1


@pytest.mark.parametrize("seed", range(5))
def test_curved_classes_are_found(seed):
    assert score(np.random.default_rng(seed), curved) > EVIDENCE


def test_rows_that_weigh_nothing_say_nothing(rng):
    assert score(rng, curved, weights=np.full(3000, 1e-6)) > EVIDENCE
    X = GRID.rounded(rng.standard_normal((50, 3))).astype(np.int32)
    sample = RowSample(X, np.eye(2, dtype=np.int32)[[0] * 50], np.ones(50), 50)
    assert products_score(sample, GRID, np.zeros((50, 2), np.float32)) == 0.0


def test_residuals_are_the_gradient_of_the_loss(rng):
    logits, codes, weights = rng.standard_normal((5, 3)), np.array([0, 1, 2, 1, 0]), np.arange(5.0)
    expected = weights[:, None] * (np.eye(3)[codes] - softmax(logits, axis=1))
    assert np.allclose(residuals_of(logits, codes, weights), expected, atol=1e-6)
