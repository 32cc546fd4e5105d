import numpy as np
import pytest

from faast import Moments, PseudoInverse
from faast.core.sample import RowSample
from faast.core.statistics import Statistics
from faast.solvers.spectrum import decompose


@pytest.mark.parametrize("alpha", [0.2, 0.6, 1.0])
def test_one_decomposition_serves_every_alpha(rng, alpha):
    keys, values = rng.standard_normal((40, 6)) * 0.5 ** np.arange(6), rng.standard_normal((40, 2))
    moments = Moments(6, 2, grid=None).add(keys, values)
    statistics = Statistics(moments, RowSample.empty(6, 2, capacity=0), None, maps=False)
    solved = PseudoInverse(alpha).solve_spectrum(decompose(statistics, centred=False))
    expected = np.linalg.pinv(keys, rtol=40**-alpha) @ values
    np.testing.assert_allclose(solved.matrix, expected, atol=1e-9)
    np.testing.assert_array_equal(
        solved.matrix, PseudoInverse(alpha).fit(statistics).weights.matrix
    )


@pytest.mark.parametrize(
    ("solver", "count", "kept"),
    [
        (PseudoInverse(alpha=0.5), 100, 2),  # rtol 0.1, singular values 1, 0.5, 0.1, 0.05
        (PseudoInverse(alpha=0.5), 1, 1),  # rtol 1: the largest stays
        (PseudoInverse(rtol=0.07), 100, 3),
        (PseudoInverse(rtol=0.0), 100, 4),
    ],
)
def test_directions_above_the_tolerance_are_kept(solver, count, kept):
    assert solver.count_kept(np.array([1.0, 0.5, 0.1, 0.05]) ** 2, count) == kept


def test_no_direction_is_none_kept():
    assert PseudoInverse().count_kept(np.empty(0), 3) == 0
