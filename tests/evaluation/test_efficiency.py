import math

import pytest

from faast.evaluation import efficiency
from faast.evaluation.efficiency import (
    CAPS,
    MEMORIES,
    Task,
    list_tasks,
    measure_in_process,
    median_cost,
    synthetic_rows,
)
from faast.evaluation.measure import OURS


def test_tasks_stop_at_their_caps():
    listed = list_tasks(["kernel-svm", "gda"], [10, 10 * CAPS["kernel-svm"]])
    assert [task.name for task in listed] == [
        "faast", "faast (ridge)", "kernel-svm", "gda", "faast", "faast (ridge)", "gda",
    ]  # fmt: skip
    assert set(MEMORIES) <= set(CAPS)


def test_a_task_is_measured_in_its_own_process():
    ours, memory = (measure_in_process(Task(name, 2_000)) for name in (OURS, "k-nn"))
    assert ours.accuracy > 0.9
    assert ours.bytes < 0.2 * memory.bytes
    assert ours.state_bytes > ours.bytes
    assert ours.traced_bytes > 0
    assert memory.n_random_features == 0
    assert 0 < ours.p50_1 <= ours.p99_1
    assert median_cost([ours, ours, memory]) == ours


@pytest.mark.parametrize(("slow", "measurements"), [(0.0, 1), (math.inf, 2)])
def test_slow_tasks_are_measured_once(monkeypatch, slow, measurements):
    monkeypatch.setattr(efficiency, "SLOW_SECONDS", slow)
    [(_, costs)] = efficiency.measure_tasks([Task("gda", 20)], repeats=2)
    assert len(costs) == measurements


def test_a_task_that_fails_says_why():
    with pytest.raises(RuntimeError, match="missing at 10 rows failed: KeyError"):
        measure_in_process(Task("missing", 10))


def test_synthetic_rows_are_the_same_for_a_seed_and_unit():
    (rows, labels), (asked, _) = synthetic_rows(200, features=8, classes=4)
    again, _ = synthetic_rows(200, features=8, classes=4)
    assert (rows == again[0]).all()
    assert (rows**2).sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert sorted(set(labels.tolist())) == [0, 1, 2, 3]
    assert asked.shape == (1000, 8)
