import numpy as np
import pytest

from faast import AssociativeMemory, PseudoInverse
from faast.evaluation.baselines.block_average import BlockAverageMemory


def filtered_pinv(keys, values):
    return np.linalg.pinv(keys, rtol=len(keys) ** -0.8) @ values


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_matrix_is_the_papers_formula(discount, rng):
    keys, values = rng.standard_normal((70, 8)), rng.standard_normal((70, 3))
    memory = BlockAverageMemory(buffer_size=30, block_size=12, discount=discount)
    for start in range(0, 70, 10):
        memory.learn(keys[start : start + 10], values[start : start + 10])

    # before the learns of rows 30.., 40.. (18 + 10), 50.. and 60.. the buffer holds 30, 28, 38, 36
    folded, count, oldest, held = np.zeros((8, 3)), 0.0, 0, 0
    for _ in range(7):
        while held >= 30:
            block = slice(oldest, oldest + 12)
            before = count * discount
            count = before + 12
            folded = (folded * before + filtered_pinv(keys[block], values[block]) * 12) / count
            oldest, held = oldest + 12, held - 12
        held += 10
    before, buffer = count * discount, slice(oldest, 70)
    expected = folded * before + filtered_pinv(keys[buffer], values[buffer]) * held
    np.testing.assert_allclose(memory.matrix, expected / (before + held), atol=1e-9)


def test_average_loses_on_sorted_classes_where_exact_moments_do_not(rng):
    means = rng.standard_normal((4, 20)) + 3.0  # what all rows share, each block gives its class
    labels = np.repeat(np.arange(4), 100)
    keys, values = means[labels] + rng.standard_normal((400, 20)), np.eye(4)[labels]
    averaged = BlockAverageMemory(buffer_size=100, block_size=100)
    exact = AssociativeMemory(PseudoInverse(alpha=0.8))
    for part in np.split(np.arange(400), 4):
        averaged.learn(keys[part], values[part])
        exact.learn(keys[part], values[part])
    accuracy = [(m.read(keys).argmax(axis=1) == labels).mean() for m in (averaged, exact)]
    assert accuracy[1] - accuracy[0] > 0.2


def test_reading_before_learning_says_what_to_do():
    with pytest.raises(ValueError, match="call learn"):
        BlockAverageMemory().read(np.zeros((1, 3)))
