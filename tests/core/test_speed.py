"""Speed against fixed points of comparison, loose enough for a machine that does other things."""

import json
import time
from pathlib import Path
from statistics import median

import numpy as np
import pytest
from scipy.linalg.blas import dgemm, dsyrk
from threadpoolctl import threadpool_limits

from faast import AssociativeMemory, Moments, PseudoInverse

RECORDED = Path(__file__).parents[2] / "benchmarks" / "features" / "recorded_ratios.json"
ALPHA = 0.8
TURNS = 5
ROWS, FEATURES, VALUES = 8_192, 512, 64


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(0)
    keys = rng.standard_normal((ROWS, FEATURES), dtype=np.float32)
    values = rng.standard_normal((ROWS, VALUES), dtype=np.float32)
    return tuple(x / np.linalg.norm(x, axis=1, keepdims=True) for x in (keys, values))


def ratio_of_times(ours, theirs):
    """Median over turns of the ratio of two calls made one after the other, on one thread."""
    ratios = []
    with threadpool_limits(1):
        for turn in range(TURNS + 1):
            started = time.process_time()
            ours()
            between = time.process_time()
            theirs()
            if turn:  # the first warms up
                ratios.append((between - started) / (time.process_time() - between))
    return median(ratios)


def moments_over_bare_products(keys, values):
    wide, goals = keys.astype(np.float64), values.astype(np.float64)

    def bare():
        dsyrk(1.0, wide.T)
        dgemm(1.0, wide.T, goals.T, trans_b=True)

    return ratio_of_times(lambda: Moments(FEATURES, VALUES).add(keys, values), bare)


def weights_over_authors_way(keys, values):
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    stacked, goals = torch.from_numpy(keys), torch.from_numpy(values)
    try:
        return ratio_of_times(
            lambda: AssociativeMemory(PseudoInverse(alpha=ALPHA)).learn(keys, values).weights,
            lambda: torch.linalg.pinv(stacked, rtol=len(keys) ** -ALPHA) @ goals,
        )
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("measured", [moments_over_bare_products, weights_over_authors_way])
def test_no_ratio_is_twice_what_was_recorded(measured, pairs):
    recorded = json.loads(RECORDED.read_text())[measured.__name__]
    ratio = measured(*pairs)
    assert ratio < 2 * recorded, f"{ratio:.2f}, recorded {recorded:.2f}: at least twice as slow"
