"""A fixed bijection of 64-bit integers that looks random."""

import numpy as np

from faast._utils.arrays import AnyArray


def hash64(numbers: AnyArray) -> AnyArray:
    """Scramble uint64 numbers by one step of splitmix64.

    Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators".
    """
    state = numbers + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
