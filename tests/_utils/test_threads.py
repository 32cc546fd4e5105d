"""Limits of BLAS threads: shared by threads, lifted again, and no trap for forked children."""

import multiprocessing
import os
import sys
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from faast import FaastClassifier
from faast._utils.threads import SMALL_PRODUCTS, threads_for


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_small_products_are_limited_and_the_limit_is_lifted():
    before = blas_threads()
    with threads_for(10):
        assert blas_threads() == {1}
        with threads_for(10):
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == before
    with threads_for(SMALL_PRODUCTS):
        assert blas_threads() == before


def test_an_error_lifts_the_limit_too():
    before = blas_threads()
    with pytest.raises(RuntimeError, match="inside"), threads_for(10):
        raise RuntimeError("inside")
    assert blas_threads() == before


def test_threads_do_not_wait_for_each_other():
    met = threading.Barrier(2, timeout=20)

    def inside():
        with threads_for(10):
            met.wait()  # both are inside at once

    threads = [threading.Thread(target=inside) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not met.broken


def learn_in_child(sender, model):
    rows = np.random.default_rng(1).standard_normal((40, 8)) / 4
    sender.send(model.fit(rows, np.arange(40) % 2).n_rows_)


@pytest.mark.skipif(sys.platform != "linux", reason="children are forked on Linux")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_children_forked_while_a_thread_learns_can_learn():
    rows = np.random.default_rng(0).standard_normal((300, 64)) / 8
    labels, stop, model = np.arange(300) % 3, threading.Event(), FaastClassifier()

    def learn_on():
        while not stop.is_set():
            model.fit(rows, labels)

    learning = threading.Thread(target=learn_on)
    learning.start()
    try:
        context = multiprocessing.get_context("fork")
        for learner in (FaastClassifier(), model) * 5:
            receiver, sender = context.Pipe(duplex=False)
            child = context.Process(target=learn_in_child, args=(sender, learner))
            child.start()
            answered = receiver.poll(30)
            if not answered:
                os.kill(child.pid, 9)
            child.join()
            assert answered, "the child waits for a lock that nobody will release"
            assert receiver.recv() == 40
    finally:
        stop.set()
        learning.join()
