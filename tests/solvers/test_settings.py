"""Settings that solvers refuse, and the small cases that their formulas leave open."""

import numpy as np
import pytest

from faast import AssociativeMemory, Discriminant, FaastClassifier, Moments, PseudoInverse
from faast.solvers import ClassPrior, as_solver
from faast.solvers.block_average import BlockAverage
from faast.solvers.calibration import (
    ScoreSource,
    calibration_error,
    fit_inverse_temperatures,
    fit_temperature,
    initial_inverse_temperature,
)
from faast.solvers.columns import standard_deviations


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": 0.5, "rtol": 0.1}, "give alpha or rtol, not both"),
        ({"rtol": 1.0}, "rtol must be in"),
        ({"alpha": -1.0}, "alpha must be positive"),
        ({"alpha": 0.0}, "alpha must be positive"),
        ({"alpha": float("nan")}, "alpha must be positive"),
    ],
)
def test_a_pseudo_inverse_takes_one_tolerance_in_range(settings, message):
    with pytest.raises(ValueError, match=message):
        PseudoInverse(**settings)


def test_a_tolerance_can_be_set_where_none_was_given():
    memory = AssociativeMemory(PseudoInverse()).learn(np.eye(4), np.eye(4))
    assert repr(memory.solver) == "PseudoInverse(alpha=None, rtol=None)"
    model = FaastClassifier(PseudoInverse()).set_params(solver__rtol=0.1)
    assert model.solver == PseudoInverse(rtol=0.1)
    spectrum = np.array([1.0, 0.02, 1e-5])
    assert PseudoInverse().count_kept(spectrum, 9) == PseudoInverse(0.8).count_kept(spectrum, 9)


def test_a_discriminant_takes_a_share_or_leave_one_out():
    with pytest.raises(ValueError, match="must be a number or"):
        Discriminant("best")
    with pytest.raises(ValueError, match="shrinkage must be in"):
        Discriminant(0.0)


def test_a_solver_is_auto_or_a_solver():
    with pytest.raises(ValueError, match='"auto" or a solver'):
        as_solver("ridge")


def test_one_class_or_no_row_needs_no_temperature():
    assert fit_temperature(np.zeros((3, 1)), np.zeros(3, np.int64), np.ones(3)) == 1.0
    assert fit_temperature(np.zeros((0, 2)), np.zeros(0, np.int64), np.ones(0)) == 1.0


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    confidence = np.array([0.9, 0.9, 0.9, 0.9, 0.6, 1.0])
    correct = np.array([True, True, False, False, True, True])
    expected = (4 * abs(0.5 - 0.9) + abs(1 - 0.6) + abs(1 - 1.0)) / 6
    assert calibration_error(confidence, correct) == pytest.approx(expected)


def test_scores_that_do_not_vary_start_from_a_slope_of_one():
    scores = np.zeros((4, 2))
    assert initial_inverse_temperature(scores, np.array([0, 1, 0, 1]), np.ones(4)) > 0


def test_columns_that_do_not_vary_keep_their_units():
    moments = Moments(3, 1).add(np.full((5, 3), 7.0), np.ones((5, 1)))
    assert np.array_equal(standard_deviations(moments), np.ones(3))


@pytest.mark.parametrize("embeddings", [None, np.eye(2, 4)])
def test_one_row_has_a_temperature_of_one(embeddings):
    memory = AssociativeMemory(PseudoInverse()).learn(np.eye(4)[:1], np.eye(2)[:1])
    prior = ClassPrior(embeddings=embeddings)
    assert PseudoInverse().fit_classes(memory.statistics, prior).temperature == 1.0


def test_few_steps_leave_a_worse_fit_and_never_fail(rng, monkeypatch):
    codes = rng.integers(0, 3, 60)
    scores = 5 * np.eye(3)[codes] + rng.standard_normal((60, 3))
    source = ScoreSource(scores, 1e-2)
    arguments = [source], np.zeros(3), codes, np.ones(60)
    _, best = fit_inverse_temperatures(*arguments)
    monkeypatch.setattr("faast.solvers.calibration.NEWTON_STEPS", 1)
    _, first = fit_inverse_temperatures(*arguments)
    assert first > best


class ArrayAverage(BlockAverage):
    """Solved by numpy's pseudo-inverse."""

    def solve_block(self, keys, values):
        return np.linalg.pinv(keys) @ values

    def concatenate(self, first, second):
        return np.concatenate([first, second])


def test_blocks_that_leave_the_buffer_are_averaged_by_their_pairs(rng):
    keys, values = rng.standard_normal((12, 3)), rng.standard_normal((12, 2))
    empty = np.zeros((0, 3)), np.zeros((0, 2))
    memory = ArrayAverage(*empty, np.zeros((3, 2)), buffer_size=8, block_size=4)
    assert np.array_equal(memory.weights, np.zeros((3, 2)))
    assert memory.count == 0
    for start in range(0, 12, 4):
        memory = memory.learn(keys[start : start + 4], values[start : start + 4])
    assert memory.count == 12
    assert memory.folded_count == 4  # the oldest block
    first = np.linalg.pinv(keys[:4]) @ values[:4]
    rest = np.linalg.pinv(keys[4:]) @ values[4:]
    assert np.allclose(memory.folded, first)
    assert np.allclose(memory.weights, first * (4 / 12) + rest * (8 / 12))
