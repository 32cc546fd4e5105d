import os
from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info

from faast import NaturalGradientClassifier
from faast.evaluation.efficiency import synthetic_rows
from faast.evaluation.measure import (
    OURS,
    build,
    check_methods,
    in_new_process,
    measure,
    time_calls,
    time_in_turns,
)
from faast.solvers.calibration import calibration_error


@pytest.fixture(scope="module")
def rows():
    return synthetic_rows(300, features=8, classes=3)


def test_ours_is_measured_with_all_figures(rows):
    support, (asked, answers) = rows
    done = measure(partial(build, OURS), *rows)
    model = build(OURS).fit(*support)
    hits = model.predict(asked) == answers
    assert np.array_equal(done.hits, hits)
    assert done.ece == calibration_error(model.predict_proba(asked).max(axis=1), hits)
    assert done.accuracy == hits.mean()
    assert 0 < done.macro_f1 <= 1
    assert done.state_bytes > done.bytes == model.compact().nbytes
    assert min(done.seconds, done.wall_seconds, done.predict_seconds) > 0


def test_a_stream_learned_in_one_pass_is_measured_with_both_sizes(rows):
    done = measure(NaturalGradientClassifier, *rows)
    model = NaturalGradientClassifier().fit(*rows[0])
    assert (done.bytes, done.state_bytes) == (model.compact().nbytes, model.nbytes)


def test_solving_is_part_of_learning(rows, monkeypatch):
    solved = []

    class Lazy:
        classes_, stored_bytes_ = np.arange(3), 8

        def fit(self, X, y):
            return self

        @property
        def weights_(self):
            solved.append("weights")

        def predict(self, X):
            solved.append("prediction")
            return np.zeros(len(X), int)

    assert np.isnan(measure(Lazy, *rows).ece)
    assert solved == ["weights", "prediction"]


def test_other_classifiers_are_measured_with_a_size_of_their_own(rows):
    done = measure(LogisticRegression, *rows, size_of=lambda model: (model.coef_.nbytes, 0))
    assert (done.bytes, done.state_bytes) == (3 * 8 * 4, 0)  # float32 as the rows


def test_unknown_methods_are_refused_with_the_names_of_all():
    with pytest.raises(ValueError, match=r"unknown method 'lda'; choose from zero-shot, k-nn"):
        check_methods(["gda", "lda"])


def test_calls_are_timed_one_by_one_and_in_turns():
    numbers = []
    spent = time_calls(numbers.append)
    assert len(spent) == len(numbers) - 3 >= 20
    assert numbers[3:6] == [0, 1, 2]
    order = []
    found = time_in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, turns=2)
    assert order == ["a", "b"] * 3
    assert set(found) == {"a", "b"}


def test_a_call_in_a_new_process_has_one_thread_and_may_fail():
    pools = in_new_process(threadpool_info)
    assert pools
    assert {pool["num_threads"] for pool in pools} == {1}
    assert in_new_process(os.getpid) != os.getpid()
    with pytest.raises(ValueError, match="invalid literal"):
        in_new_process(int, "x")
