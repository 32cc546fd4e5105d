from faast.evaluation.efficiency import synthetic_rows
from faast.evaluation.time_to_accuracy import BUDGETS, time_to_accuracy


def test_a_baseline_stops_at_the_first_budget_that_is_as_accurate():
    done = time_to_accuracy("linear-sgd", *synthetic_rows(400, features=8, classes=3))
    budgets = BUDGETS["linear-sgd"].budgets
    assert done.budget in budgets
    assert done.reached == (done.theirs.accuracy >= done.ours.accuracy)
    assert done.reached or done.budget == budgets[-1]
    assert done.saved == 1 - done.ours.seconds / done.theirs.seconds
