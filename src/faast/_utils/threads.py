"""One BLAS thread for small sums.

numpy and scipy usually bring a BLAS library each, whose threads go on spinning for some
milliseconds after a call. Sums are made by scipy's, which adds in place, everything else by
numpy's; small problems alternate between them so quickly that the threads of one would stand in
the way of the other. They are faster on a single thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

SMALL_PRODUCTS = 2**31
"""Multiplications below which a sum is small: some ten milliseconds on one core."""

_ONE_AT_A_TIME = Lock()  # overlapping limits would restore each other's


@contextmanager
def threads_for(products: int) -> Iterator[None]:
    """Hold BLAS to one thread while a sum of so few products is made.

    Parameters
    ----------
    products : int
        Multiplications that the sum takes.
    """
    if products >= SMALL_PRODUCTS:
        yield
    else:
        with _ONE_AT_A_TIME, _controller().limit(limits=1, user_api="blas"):
            yield


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
