"""A limit of one BLAS thread for small matrix products.

NumPy and SciPy usually ship separate BLAS libraries, and the threads of each keep spinning for
some milliseconds after a call. This package sums with SciPy's BLAS, which adds in place, and does
all other linear algebra with NumPy's. Small problems switch between the two so quickly that the
spinning threads of one slow down the other; on one thread they are faster.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

from threadpoolctl import ThreadpoolController

SMALL_PRODUCTS = 2**31
"""Products with fewer multiplications are small: about ten milliseconds on one core."""


@contextmanager
def threads_for(products: int) -> Iterator[None]:
    """Limit BLAS to one thread in the `with` block if its matrix product is small.

    The limit holds for the whole process, so it may slow down a larger product of another thread
    for as long as the small one takes. Sums of rounded rows are exact on any number of threads; a
    solution can differ in its last bits with the number of threads that BLAS runs on. Threads do
    not wait for each other.

    Parameters
    ----------
    products : int
        Number of multiplications that the matrix product takes; see `SMALL_PRODUCTS`.
    """
    if products >= SMALL_PRODUCTS:
        yield
        return
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


class _SharedLimit:
    """One limit for all threads: the first to enter sets it, the last to leave lifts it.

    The lock is held only while the count changes. A child that is forked meanwhile starts with a
    lock of its own and without a limit.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._lock, self._entered, self._limiter = Lock(), 0, None

    def enter(self) -> None:
        with self._lock:
            if not self._entered:
                self._limiter = _controller().limit(limits=1, user_api="blas")
            self._entered += 1

    def leave(self) -> None:
        with self._lock:
            self._entered = max(self._entered - 1, 0)
            if not self._entered and self._limiter is not None:
                self._lift()

    def lift_in_child(self) -> None:
        """Lift the limit that the parent's threads had set, which no thread here will lift."""
        limiter = self._limiter
        self.reset()
        if limiter is not None:
            limiter.restore_original_limits()

    def _lift(self) -> None:
        limiter: Any = self._limiter
        self._limiter = None
        limiter.restore_original_limits()


_limit = _SharedLimit()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_limit.lift_in_child)


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
