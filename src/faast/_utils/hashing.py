"""Hashes of 64-bit integers, and samples of rows chosen by their hashes."""

import numpy as np

from faast._utils.arrays import AnyArray, IntArray

_INCREMENT = np.uint64(0x9E3779B97F4A7C15)


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
    return scramble64(numbers + _INCREMENT)


def scramble64(state: AnyArray) -> AnyArray:
    """Spread every bit of each number over all 64 bits: the last step of `hash64`.

    Parameters
    ----------
    state : ndarray of uint64, any shape

    Returns
    -------
    ndarray of uint64, same shape
    """
    state = state ^ (state >> np.uint64(30))
    state *= np.uint64(0xBF58476D1CE4E5B9)
    state ^= state >> np.uint64(27)
    state *= np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return state


def bottom_k(hashes: AnyArray, k: int) -> IntArray:
    """Choose the k items with the lowest hashes: a sample that does not depend on their order.

    Parameters
    ----------
    hashes : ndarray of shape (n,), integer
    k : int
        Positive.

    Returns
    -------
    ndarray of shape (min(n, k),), int64
        Indices of the chosen items, ascending. Among equal hashes the first items are chosen.
    """
    if len(hashes) <= k:
        return np.arange(len(hashes))
    highest = np.partition(hashes, k - 1)[k - 1]
    chosen = hashes < highest
    ties = np.flatnonzero(hashes == highest)
    chosen[ties[: k - np.count_nonzero(chosen)]] = True
    return np.flatnonzero(chosen)
