"""Hashes of integers, and samples chosen by them."""

import numpy as np
import pytest

from faast._utils.hashing import bottom_k, hash64, scramble64


def test_hashes_are_those_of_splitmix64():
    # the first outputs of the reference implementation, seeded with 0 and with 1234567
    assert hash64(np.array([0, 1234567], np.uint64)).tolist() == [
        16294208416658607535,
        6457827717110365317,
    ]


def test_distinct_numbers_have_distinct_hashes():
    numbers = np.arange(100_000, dtype=np.uint64)
    assert len(np.unique(hash64(numbers))) == len(numbers)


def test_the_numbers_hashed_stay_as_they_are():
    numbers = np.arange(10, dtype=np.uint64)
    hash64(numbers)
    scramble64(numbers)
    np.testing.assert_array_equal(numbers, np.arange(10))


@pytest.mark.parametrize("k", [1, 5, 20, 30])
def test_bottom_k_are_the_first_of_a_stable_sort(rng, k):
    hashes = rng.integers(0, 8, 20).astype(np.uint64)  # many are equal
    expected = np.sort(np.argsort(hashes, kind="stable")[:k])
    np.testing.assert_array_equal(bottom_k(hashes, k), expected)


def test_bottom_k_of_distinct_hashes_does_not_depend_on_their_order(rng):
    hashes = rng.permutation(50)
    shuffled = rng.permutation(hashes)
    assert set(hashes[bottom_k(hashes, 7)]) == set(shuffled[bottom_k(shuffled, 7)]) == set(range(7))
