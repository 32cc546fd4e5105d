import pytest

from faast.evaluation.efficiency import CAPS, MEMORIES, Task, measure_apart, medians, tasks
from faast.evaluation.measure import OURS
from faast.evaluation.sensitivity import sweep_alpha


def test_points_stop_at_their_caps():
    listed = tasks(["kernel-svm", "gda"], [10, 10 * CAPS["kernel-svm"]])
    assert [task.name for task in listed] == [
        "faast", "faast (ridge)", "kernel-svm", "gda", "faast", "faast (ridge)", "gda",
    ]  # fmt: skip
    assert set(MEMORIES) <= set(CAPS)


def test_a_point_is_measured_in_its_own_process():
    ours, memory = (measure_apart(Task(name, 2_000)) for name in (OURS, "k-nn"))
    assert ours.accuracy > 0.9
    assert ours.bytes < 0.2 * memory.bytes
    assert ours.state_bytes > ours.bytes
    assert ours.traced_bytes > 0
    assert memory.lifted == 0
    assert 0 < ours.p50_1 <= ours.p99_1
    assert medians([ours, ours, memory]) == ours


def test_a_point_that_fails_says_why():
    with pytest.raises(RuntimeError, match="missing at 10 rows failed: KeyError"):
        measure_apart(Task("missing", 10))


def test_every_exponent_beside_ours(unit_rows):
    rows, onehot = unit_rows
    labels = onehot.argmax(axis=1)
    (sweep,) = sweep_alpha([(rows, labels)], (rows, labels), alphas=(0.2, 0.8))
    assert set(sweep.alphas) == {0.2, 0.8}
    assert sweep.spread == abs(sweep.alphas[0.2] - sweep.alphas[0.8])
    assert 0 <= sweep.ours <= 1
