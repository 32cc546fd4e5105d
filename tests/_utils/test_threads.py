"""The limit on BLAS threads."""

from threadpoolctl import threadpool_info

from faast._utils.threads import SMALL_PRODUCTS, threads_for


def blas_threads():
    return [
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    ]


def test_small_products_run_on_one_thread_and_the_count_is_restored():
    before = blas_threads()
    with threads_for(SMALL_PRODUCTS - 1):
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_large_products_keep_their_threads():
    before = blas_threads()
    with threads_for(SMALL_PRODUCTS):
        assert blas_threads() == before
