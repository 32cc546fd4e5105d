import numpy as np
import pytest

from faast import AssociativeMemory, Ridge
from faast.solvers.ridge import gcv_scores, strength_grid
from faast.solvers.spectrum import LeaveOneOut, decompose


def solve_directly(keys, values, strength, weights=None):
    weights = np.ones(len(keys)) if weights is None else weights
    key_mean, value_mean = (weights @ a / weights.sum() for a in (keys, values))
    root = np.sqrt(weights)[:, None]
    penalty = np.sqrt(strength) * np.eye(keys.shape[1])
    rows = np.vstack([root * (keys - key_mean), penalty])
    targets = np.vstack([root * (values - value_mean), np.zeros((len(penalty), values.shape[1]))])
    matrix = np.linalg.lstsq(rows, targets)[0]
    return matrix, value_mean - key_mean @ matrix


@pytest.mark.parametrize("n_rows", [10, 40], ids=["dual", "primal"])
@pytest.mark.parametrize("strength", [1e-6, 0.1, 10.0])
def test_solves_the_penalised_normal_equations(n_rows, strength, rng):
    keys, values = rng.standard_normal((n_rows, 24)), rng.standard_normal((n_rows, 3))
    weights = AssociativeMemory(Ridge(strength), grid=None).learn(keys, values).weights
    matrix, bias = solve_directly(keys, values, strength)
    np.testing.assert_allclose(weights.matrix, matrix, atol=1e-9)
    np.testing.assert_allclose(weights.bias, bias, atol=1e-9)


def test_dual_and_primal_agree(rng):
    keys, values = rng.standard_normal((12, 40)), rng.standard_normal((12, 2))
    dual = AssociativeMemory(Ridge("gcv"), grid=None).learn(keys, values)
    primal = AssociativeMemory(Ridge("gcv"), grid=None, selection_rows=0).learn(keys, values)
    assert dual.rows.complete
    assert not primal.rows.complete
    np.testing.assert_allclose(dual.weights.matrix, primal.weights.matrix, atol=1e-9)
    assert dual.weights.rank == primal.weights.rank == 11


@pytest.mark.parametrize("n_rows", [9, 30], ids=["fewer rows than features", "more"])
@pytest.mark.parametrize("repeats", [False, True])
def test_leave_one_out_is_what_refitting_without_the_row_gives(n_rows, repeats, rng):
    keys, values = rng.standard_normal((n_rows, 12)), rng.standard_normal((n_rows, 2))
    copies = rng.integers(1, 4, n_rows) if repeats else np.ones(n_rows, dtype=int)
    memory = AssociativeMemory(grid=None).learn(keys, values, copies)
    decomposed = decompose(memory.statistics, centred=True)
    rows = memory.statistics.sampled_rows()
    left_out = LeaveOneOut(decomposed, rows)
    for strength in (1e-8, 1e-3, 1.0):
        removed = strength / (decomposed.eigenvalues + strength)
        predicted = left_out.predictions(removed)
        for row in range(n_rows):
            remaining = rows.weights - (np.arange(n_rows) == row)
            matrix, bias = solve_directly(rows.keys, rows.values, strength, remaining)
            np.testing.assert_allclose(
                predicted[row], rows.keys[row] @ matrix + bias, rtol=1e-6, atol=1e-8
            )


def test_generalised_cross_validation_is_its_definition(rng):
    keys, values = rng.standard_normal((30, 8)), rng.standard_normal((30, 2))
    memory = AssociativeMemory(grid=None).learn(keys, values)
    decomposed = decompose(memory.statistics, centred=True)
    strengths = strength_grid(decomposed)[::10]
    for strength, score in zip(strengths, gcv_scores(decomposed, strengths), strict=True):
        matrix, bias = solve_directly(keys, values, strength)
        centred = keys - keys.mean(axis=0)
        hat = centred @ np.linalg.solve(centred.T @ centred + strength * np.eye(8), centred.T)
        residual = np.square(values - keys @ matrix - bias).sum()
        assert score == pytest.approx(30 * residual / (29 - np.trace(hat)) ** 2)


def test_chosen_strength_is_close_to_the_best(rng):
    keys, truth = rng.standard_normal((80, 30)), rng.standard_normal((30, 2))
    noisy = keys @ truth + 3.0 * rng.standard_normal((80, 2))
    queries = rng.standard_normal((2000, 30))

    def error(strength):
        memory = AssociativeMemory(Ridge(strength)).learn(keys, noisy)
        return np.square(memory.read(queries) - queries @ truth).mean()

    best = min(error(strength) for strength in np.logspace(-3, 4, 30))
    assert error("loo") <= 1.1 * best
    assert error("gcv") <= 1.1 * best


def test_one_row_a_class_is_not_shrunk_to_nothing(rng):
    keys = np.eye(20)[:8] + 0.05 * rng.standard_normal((8, 20))
    memory = AssociativeMemory(Ridge("loo")).learn(keys, np.eye(8))
    assert (memory.read(keys).argmax(axis=1) == np.arange(8)).all()
    assert memory.weights.strength <= np.linalg.norm(keys - keys.mean(axis=0), 2) ** 2 / 8 * 1.001


@pytest.mark.parametrize("strength", [-1.0, np.nan, np.inf, "best"])
def test_impossible_strengths_are_refused(strength):
    with pytest.raises(ValueError, match="strength must be"):
        Ridge(strength)
