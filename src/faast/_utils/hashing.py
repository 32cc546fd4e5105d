"""The hash of 64-bit integers that fixes every pseudo-random choice of the library."""

import numpy as np

from faast._utils.arrays import AnyArray


def hash64(numbers: AnyArray) -> AnyArray:
    """Hash each number with splitmix64; distinct numbers get distinct hashes.

    Parameters
    ----------
    numbers : ndarray of uint64, any shape

    Returns
    -------
    ndarray of uint64, same shape

    References
    ----------
    Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators".
    """
    state = numbers + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
