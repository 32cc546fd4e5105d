"""The scale of numbers comes from the rows that are learned first, and goes with the last one."""

import numpy as np
import pytest

from faast.serve.problems import RequestError
from faast.serve.tasks.records import NewRow
from faast.serve.tasks.task import Task
from tests.serve.test_histories import created

ROWS = [NewRow([i % 2 * 2 - 1 + i / 100, 1 + i / 10], "ab"[i % 2], "ann") for i in range(10)]


@pytest.fixture
def plain(tmp_path):
    """Return the hash of the state that has learned nothing but ROWS."""
    task = created(tmp_path, "plain", "numbers")
    task.teach(ROWS)
    yield task.state.hash
    task.close()


FORGET = {
    "undo": Task.undo,
    "forget": lambda task: task.forget(1),
    "source": lambda task: task.forget_source("bob"),
    "class": lambda task: task.forget_class("x"),
}


@pytest.mark.parametrize("size", [1e38, 1000.0, 1e-30])
@pytest.mark.parametrize("forget", FORGET)
def test_forgotten_numbers_leave_no_trace_in_what_is_learned_later(tmp_path, plain, size, forget):
    task = created(tmp_path, "task", "numbers")
    start = task.state.hash
    task.teach([NewRow([size, size], "x", "bob")])
    FORGET[forget](task)
    assert task.state.hash == start
    task.teach(ROWS)
    assert task.state.hash == plain
    task._closing.close()  # as after a crash
    task = Task(tmp_path, "task")
    assert task.state.hash == plain
    assert np.isfinite(task.state.probabilities(task.state.encode([[1.0, 0.5]]))).all()
    task.close()


@pytest.mark.parametrize("size", [1e38, 1e-38, 0.0])
def test_rows_that_wait_do_not_change_what_is_learned(tmp_path, plain, size):
    task = created(tmp_path, "task", "numbers")
    task.teach([NewRow([size, size])])
    task.teach(ROWS)
    assert task.state.hash == plain
    task.close()


def test_a_row_of_another_width_is_named(tmp_path):
    task = created(tmp_path, "task", "numbers")
    with pytest.raises(RequestError, match="row 3 has 1 numbers, but row 1 has 2"):
        task.teach([NewRow([1.0, 2.0], "a"), NewRow([3.0, 4.0], "b"), NewRow([5.0], "b")])
    assert task.state.n_rows == 0
    task.close()


@pytest.mark.parametrize(("first", "later", "why"), [(1e30, 1.0, "small"), (1e-30, 1.0, "large")])
def test_numbers_of_another_size_than_the_first_are_refused(tmp_path, first, later, why):
    task = created(tmp_path, "task", "numbers")
    task.teach([NewRow([first, first], "a"), NewRow([0.0, first], "b")])
    before = task.state.hash
    new = [NewRow([0.0, first], "b"), NewRow([1.0, 1.0]), NewRow([later, -later], "a")]
    with pytest.raises(RequestError, match=f"row 3 holds 1, too {why} beside") as raised:
        task.teach(new)
    assert raised.value.status_code == 422
    assert (task.state.hash, len(task.rows())) == (before, 2)
    _, (waiting,) = task.teach([NewRow([later, later])])
    with pytest.raises(RequestError, match="forget all learned rows"):
        task.correct(waiting, "a")
    task.undo()
    task.undo()
    task.teach(new[2:])
    task.close()


def test_a_batch_of_numbers_must_have_a_similar_size(tmp_path):
    task = created(tmp_path, "task", "numbers")
    start = task.state.hash
    with pytest.raises(RequestError, match="row 2 holds 1, too small"):
        task.teach([NewRow([1e30, 0.0], "a"), NewRow([1.0, 0.0], "b")])
    assert task.state.hash == start
    task.close()
