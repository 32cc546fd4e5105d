import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

from faast.solvers.calibration import (
    ScoreSource,
    fit_inverse_temperatures,
    initial_inverse_temperature,
)


def penalised_loss(log_ratio, experts, log_priors, codes, weights):
    scores = log_priors + sum(
        e.expected * np.exp(u) * e.scores for e, u in zip(experts, log_ratio, strict=True)
    )
    chosen = log_softmax(scores, axis=1)[np.arange(len(codes)), codes]
    return -(weights @ chosen) + 0.5 * np.sum(np.square(log_ratio))


@pytest.mark.parametrize("n_experts", [1, 2, 3])
def test_scales_minimise_the_penalised_loss(n_experts, rng):
    codes = rng.integers(0, 4, 60)
    weights = rng.integers(1, 3, 60).astype(float)
    log_priors = np.log(rng.dirichlet(np.ones(4)))
    experts = [
        ScoreSource(np.eye(4)[codes] + k * rng.standard_normal((60, 4)), 1.0 / k)
        for k in range(1, n_experts + 1)
    ]
    scales, loss = fit_inverse_temperatures(experts, log_priors, codes, weights)
    best = minimize(
        penalised_loss, np.zeros(n_experts), (experts, log_priors, codes, weights), tol=1e-10
    )
    assert loss <= best.fun + 0.02
    expected = [e.expected for e in experts] * np.exp(best.x)
    np.testing.assert_allclose(scales, expected, rtol=0.1)


def test_perfectly_separated_scores_have_a_finite_scale(rng):
    codes = rng.integers(0, 3, 50)
    scores, weights = np.eye(3)[codes], np.ones(50)
    expert = ScoreSource(scores, initial_inverse_temperature(scores, codes, weights))
    scales, _ = fit_inverse_temperatures([expert], np.zeros(3), codes, weights)
    assert 0 < scales[0] < 1e3 * expert.expected


def test_the_slope_of_gaussian_scores_is_gap_over_variance(rng):
    codes = rng.integers(0, 40, 5000)
    scores = 0.5 * rng.standard_normal((5000, 40))
    scores[np.arange(5000), codes] += 2.0
    assert initial_inverse_temperature(scores, codes, np.ones(5000)) == pytest.approx(
        2.0 / 0.25, rel=0.1
    )
