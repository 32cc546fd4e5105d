"""A limit of one BLAS thread for small matrix products.

NumPy and SciPy usually ship separate BLAS libraries, and the threads of each keep spinning for
some milliseconds after a call. This package sums with SciPy's BLAS, which adds in place, and does
all other linear algebra with NumPy's. Small problems switch between the two so quickly that the
spinning threads of one slow down the other; on one thread they are faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

SMALL_PRODUCTS = 2**31
"""Products with fewer multiplications are small: about ten milliseconds on one core."""

_LOCK = Lock()  # two limits that overlap in time would restore each other's thread counts


@contextmanager
def threads_for(products: int) -> Iterator[None]:
    """Limit BLAS to one thread in the `with` block if its matrix product is small.

    Parameters
    ----------
    products : int
        Number of multiplications that the matrix product takes; see `SMALL_PRODUCTS`.
    """
    if products >= SMALL_PRODUCTS:
        yield
    else:
        with _LOCK, _controller().limit(limits=1, user_api="blas"):
            yield


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()
