"""Threads: some ask while others learn and forget; every answer is that of a state that existed."""

import os
import threading
import warnings
from itertools import product

import numpy as np

from faast import FaastClassifier

SECONDS = 10.0 if os.environ.get("FAAST_THOROUGH") else 2.0
CLASSES = 4


class Work:
    """Functions that threads repeat until one of them fails or the time is up."""

    def __init__(self):
        self.stop, self.errors = threading.Event(), []

    def repeat(self, function):
        try:
            while not self.stop.is_set():
                function()
        except BaseException as error:
            self.errors.append(error)
            self.stop.set()

    def run(self, functions, seconds):
        threads = [threading.Thread(target=self.repeat, args=(one,)) for one in functions]
        for thread in threads:
            thread.start()
        self.stop.wait(seconds)
        self.stop.set()
        for thread in threads:
            thread.join(60)
        assert not self.errors, self.errors[0]


def test_asking_while_others_learn_and_forget(rng):
    rows = rng.standard_normal((400, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.arange(400) % CLASSES
    model = FaastClassifier().fit(rows[:200], labels[:200])

    new_class = [CLASSES]  # comes and goes, so that the number of columns changes
    parts = [([0], new_class), ([1], new_class), (np.arange(200, 210), labels[200:210])]
    states = []  # one for every choice of parts that are learned at a time
    for chosen in product((False, True), repeat=len(parts)):
        state = FaastClassifier().fit(rows[:200], labels[:200])
        for part, given in (part for part, taken in zip(parts, chosen, strict=True) if taken):
            state.partial_fit(rows[part], given)
        states.append(state.predict_proba(rows[:5]))

    def ask():
        found = model.predict_proba(rows[:5])
        alike = [state for state in states if state.shape == found.shape]
        # BLAS adds in another order while another thread limits it; states differ by over 1e-3
        assert any(np.allclose(found, state, rtol=0, atol=1e-6) for state in alike)
        assert set(model.predict(rows[:5]).tolist()) <= set(range(CLASSES + 1))
        model.predict_set(rows[:5])

    def learn_and_forget(part, given):
        model.partial_fit(rows[part], given)
        model.forget(rows[part], given)

    filters = list(warnings.filters)
    changes = [lambda part=part: learn_and_forget(*part) for part in parts]
    Work().run([ask] * 4 + changes, SECONDS)
    assert model.n_rows_ == 200
    assert warnings.filters == filters
    fresh = FaastClassifier().fit(rows[:200], labels[:200])
    assert np.array_equal(model.predict_proba(rows), fresh.predict_proba(rows))


def test_no_row_is_lost_where_several_threads_learn(rng):
    rows = rng.standard_normal((300, 16)) / 4
    labels = np.arange(300) % CLASSES
    model = FaastClassifier().fit(rows[:4], labels[:4])

    def learn(start):
        for i in range(start, 300, 3):
            model.partial_fit(rows[[i]], labels[[i]])

    threads = [threading.Thread(target=learn, args=(start,)) for start in (4, 5, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert model.n_rows_ == 300
    whole = FaastClassifier().fit(rows, labels)
    assert np.array_equal(model.predict_proba(rows), whole.predict_proba(rows))
