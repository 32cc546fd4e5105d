"""The hash of integers."""

import numpy as np

from faast._utils.hashing import hash64, scramble64


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
