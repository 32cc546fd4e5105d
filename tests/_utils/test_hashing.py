import numpy as np
import pytest

from faast._utils.hashing import bottom_k


@pytest.mark.parametrize("k", [1, 5, 20, 30])
def test_bottom_k_are_the_first_of_a_stable_sort(rng, k):
    hashes = rng.integers(0, 8, 20).astype(np.uint64)  # many are equal
    expected = np.sort(np.argsort(hashes, kind="stable")[:k])
    np.testing.assert_array_equal(bottom_k(hashes, k), expected)


def test_bottom_k_of_distinct_hashes_does_not_depend_on_their_order(rng):
    hashes = rng.permutation(50)
    shuffled = rng.permutation(hashes)
    assert set(hashes[bottom_k(hashes, 7)]) == set(shuffled[bottom_k(shuffled, 7)]) == set(range(7))
