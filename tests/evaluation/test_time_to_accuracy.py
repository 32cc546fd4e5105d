import pytest

from faast.evaluation.efficiency import call_seconds, in_turns, synthetic
from faast.evaluation.time_to_accuracy import LADDERS, race


def test_synthetic_rows_are_the_same_for_a_seed_and_unit():
    (rows, labels), (asked, _) = synthetic(200, features=8, classes=4)
    again, _ = synthetic(200, features=8, classes=4)
    assert (rows == again[0]).all()
    assert (rows**2).sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert sorted(set(labels.tolist())) == [0, 1, 2, 3]
    assert asked.shape == (1000, 8)


def test_a_peer_stops_at_the_first_budget_that_is_as_accurate():
    done = race("linear-sgd", *synthetic(400, features=8, classes=3))
    budgets = LADDERS["linear-sgd"].budgets
    assert done.budget in budgets
    assert done.reached == (done.theirs.accuracy >= done.ours.accuracy)
    assert done.reached or done.budget == budgets[-1]
    assert done.saved == 1 - done.ours.seconds / done.theirs.seconds


def test_calls_are_timed_one_by_one_and_in_turns():
    numbers = []
    spent = call_seconds(numbers.append)
    assert len(spent) == len(numbers) - 3 >= 20
    assert numbers[3:6] == [0, 1, 2]
    order = []
    found = in_turns({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, turns=2)
    assert order == ["a", "b"] * 3
    assert set(found) == {"a", "b"}
