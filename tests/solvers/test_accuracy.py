"""Weights against a float64 singular value decomposition with the same filter."""

import numpy as np
import pytest

from faast import AssociativeMemory, PseudoInverse

torch = pytest.importorskip("torch", reason="bfloat16 rows need torch")


def rows_of_condition(n_rows, n_features, condition, rng):
    """Rows of norm up to 1 whose singular values fall as a power law to the condition number."""
    rotation = np.linalg.qr(rng.standard_normal((n_features, n_features)))[0]
    ranks = np.arange(1, n_features + 1)
    spread = ranks ** -(np.log(condition) / np.log(n_features))
    rows = rng.standard_normal((n_rows, n_features)) * spread @ rotation
    return rows / np.linalg.norm(rows, axis=1).max()


def on_the_grid(rows):
    return np.rint(np.asarray(rows, dtype=np.float64) * 2**20) / 2**20


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(50_000, 512), (256, 512)], ids=["primal", "dual"])
def test_weights_match_a_direct_decomposition(shape, dtype, rng):
    rows = rows_of_condition(*shape, 1e4, rng)
    values = np.eye(10, dtype=np.float32)[rng.integers(0, 10, shape[0])]
    given = torch.tensor(rows, dtype=getattr(torch, dtype))
    held = on_the_grid(given.to(torch.float64).numpy())

    memory = AssociativeMemory(PseudoInverse(alpha=0.8)).learn(given, values)

    orthogonal, triangle = np.linalg.qr(held)  # as accurate as a decomposition of the rows
    left, singular, right = np.linalg.svd(triangle, full_matrices=False)
    kept = singular > singular[0] * shape[0] ** -0.8
    direct = right[kept].T / singular[kept] @ (left[:, kept].T @ (orthogonal.T @ values))
    assert memory.weights.rank == kept.sum()
    error = np.linalg.norm(memory.weights.matrix - direct) / np.linalg.norm(direct)
    assert error <= 1e-8
