"""More rows than a model holds: the log makes every change exact all the same."""

import numpy as np
import pytest

from faast import FaastClassifier
from faast.serve.tasks.records import NewRow
from faast.serve.tasks.state import TaskState
from faast.serve.tasks.storage import create_task
from faast.serve.tasks.task import Task

N_ROWS = 4200
LABELS = ["fees", "card", "refund"]


@pytest.fixture(autouse=True)
def only_the_sample_is_held(monkeypatch):
    monkeypatch.setattr("faast.core.feature_rows.WHOLE_ROWS", 25)


def drawn(seed, n_rows=N_ROWS):
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(n_rows, 2)).astype(np.float32).tolist()
    return [
        NewRow(row, LABELS[number % 3], "ann" if number % 7 else "bob")
        for number, row in enumerate(numbers)
    ]


def batch(task):
    """Return the hash of the state that learns the present rows in one call."""
    rows = task.rows()
    model = FaastClassifier(key_scale=task.state.model.key_scale)
    model.fit(np.float32([row.numbers for row in rows]), [row.label for row in rows])
    return TaskState(model).hash


@pytest.fixture
def task(tmp_path):
    create_task(tmp_path, "task", "numbers")
    task = Task(tmp_path, "task")
    task.teach(drawn(0))
    return task


def after_crash(task, folder):
    task._closing.close()  # without writing the model file
    return Task(folder, "task")


CHANGES = {
    "forget": lambda task: task.forget(1),
    "correct": lambda task: task.correct(1, "fraud"),
    "merge": lambda task: task.merge_classes(["fees", "card"], "card"),
    "forget a class": lambda task: task.forget_class("fees"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_and_its_undo_leave_what_a_batch_of_the_present_rows_gives(task, tmp_path, change):
    before = task.state.hash
    CHANGES[change](task)
    assert task.state.hash == batch(task)
    task = after_crash(task, tmp_path)
    assert task.state.hash == batch(task)
    task.undo()
    assert task.state.hash == before == batch(task)
    task.close()


def test_undoing_a_lesson_brings_rows_back_that_had_left_the_sample(task, tmp_path):
    before = task.state.hash
    task.teach(drawn(1, 300))
    task.undo()
    assert task.state.hash == before
    task = after_crash(task, tmp_path)
    assert task.state.hash == before
    task.close()


def test_forgetting_a_source_leaves_what_a_batch_of_the_other_rows_gives(task, tmp_path):
    certificate = task.forget_source("bob")
    assert certificate.state_after == task.state.hash == batch(task)
    task = after_crash(task, tmp_path)
    task.teach(drawn(1, 20))
    task.undo()
    assert task.state.hash == certificate.state_after
    task.close()


def test_rows_that_only_the_model_file_holds_are_never_lost(task, tmp_path):
    task.close()
    (tmp_path / "task.faast-log").unlink()
    task = Task(tmp_path, "task")
    _, numbers = task.teach(drawn(1, 20))
    task.forget(numbers[0])
    assert task.state.n_rows == N_ROWS + 19
    assert task.state.is_thinned
    left = task.state.hash
    task = after_crash(task, tmp_path)
    assert task.state.hash == left
    task.close()
