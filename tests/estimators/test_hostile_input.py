"""Bad rows: an error that names what was wrong, and a memory as it was before."""

import datetime

import numpy as np
import pytest

from faast import (
    AssociativeMemory,
    FaastClassifier,
    FaastRegressor,
    NaturalGradientClassifier,
)

ROWS = np.eye(6) / 2
VALUES = np.eye(3)[[0, 1, 2, 0, 1, 2]]


def spoiled(row, entry):
    rows = np.tile(ROWS, (400, 1))
    rows[row, 2] = entry
    return rows


BAD_ROWS = [
    (spoiled(17, np.nan), "row 17 of {name} contains NaN"),
    (spoiled(2001, np.inf), "row 2001 of {name} contains inf"),
    (spoiled(5, -np.inf).astype(np.float32), "row 5 of {name} contains inf"),
]
BAD_SHAPES = [
    (np.zeros((2, 5)), "shape"),
    (np.zeros(6), "shape"),
    (np.zeros((2, 6, 1)), "shape"),
    (np.array([["a"] * 6] * 2), "numeric"),
    (np.array([[None] * 6] * 2, dtype=object), "numeric"),
    (np.zeros((2, 6), dtype=complex), "numeric"),
]


@pytest.mark.parametrize(("keys", "message"), [*BAD_ROWS, *BAD_SHAPES])
@pytest.mark.parametrize("action", ["learn", "forget"])
def test_memory_refuses_bad_keys_and_stays_as_it_was(keys, message, action):
    memory = AssociativeMemory().learn(ROWS, VALUES)
    before = memory.moments.copy()
    values = np.tile(VALUES, (len(keys) // 6 + 1, 1))[: len(keys)]
    with pytest.raises(ValueError, match=message.format(name="keys")):
        getattr(memory, action)(keys, values)
    assert memory.moments == before
    assert len(memory.rows) == 6


def test_memory_refuses_bad_values_and_counts():
    memory = AssociativeMemory().learn(ROWS, VALUES)
    with pytest.raises(ValueError, match="row 1 of values contains NaN"):
        memory.learn(ROWS[:2], [[0, 0, 1], [0, np.nan, 1]])
    with pytest.raises(ValueError, match="same number of rows, got 6 and 5"):
        memory.learn(ROWS, VALUES[:5])
    with pytest.raises(ValueError, match="row 2 has weight -1"):
        memory.learn(ROWS, VALUES, [1, 1, -1, 1, 1, 1])
    with pytest.raises(ValueError, match="row 0 has weight nan"):
        memory.learn(ROWS, VALUES, [np.nan] * 6)
    with pytest.raises(ValueError, match=r"weights must have shape \(6,\)"):
        memory.learn(ROWS, VALUES, [1, 2])
    with pytest.raises(ValueError, match="values are missing"):
        memory.learn(ROWS)
    assert memory.count == 6


def test_a_bad_batch_in_a_stream_leaves_nothing_of_the_stream():
    memory = AssociativeMemory().learn(ROWS, VALUES)
    before = memory.moments.copy()
    with pytest.raises(ValueError, match="row 7 of keys contains NaN"):
        memory.learn((keys, VALUES) for keys in (ROWS, spoiled(1, np.nan)[:6]))
    assert memory.moments == before


def test_rows_far_outside_the_grid_are_refused_by_row():
    memory = AssociativeMemory().learn(ROWS, VALUES)
    with pytest.raises(ValueError, match="row 3 of keys holds 1e\\+06, too large"):
        memory.learn(spoiled(3, 1e6)[:6], VALUES)


def test_forgetting_what_was_never_learned_is_an_error():
    memory = AssociativeMemory().learn(ROWS, VALUES)
    with pytest.raises(ValueError, match="never learned"):
        memory.forget(ROWS[:1] + 0.25, VALUES[:1])
    with pytest.raises(ValueError, match="never learned"):
        memory.forget(ROWS[:1], VALUES[1:2])
    with pytest.raises(ValueError, match="never learned"):
        memory.forget(ROWS[[0, 0]], VALUES[[0, 0]])
    with pytest.raises(ValueError, match="nothing to forget"):
        AssociativeMemory().forget(ROWS, VALUES)
    assert memory.count == 6


def test_reading_asks_for_learning_first_and_refuses_bad_queries():
    with pytest.raises(ValueError, match="nothing has been learned yet"):
        AssociativeMemory().read(ROWS)
    memory = AssociativeMemory().learn(ROWS, VALUES)
    with pytest.raises(ValueError, match="row 1 of queries contains NaN"):
        memory.read([[0.0] * 6, [np.nan] * 6])
    with pytest.raises(ValueError, match=r"queries must have shape \(n, 6\), got \(1, 5\)"):
        memory.read(np.zeros((1, 5)))


@pytest.mark.parametrize("estimator", [FaastClassifier(), FaastRegressor()])
@pytest.mark.parametrize(("X", "message"), BAD_ROWS)
def test_estimators_name_the_row(estimator, X, message):
    with pytest.raises(ValueError, match=message.format(name="X")):
        estimator.fit(X, np.arange(len(X)) % 3)


@pytest.mark.parametrize("kind", ["datetime64[ns]", "datetime64[D]", "timedelta64[s]"])
@pytest.mark.parametrize(
    "estimator", [FaastClassifier(), FaastRegressor(), NaturalGradientClassifier()]
)
def test_dates_are_no_features_and_no_weights(estimator, kind):
    dates, y = np.ones((6, 6), int).astype(kind), [0, 1, 2, 0, 1, 2]
    message = f"holds .* of type {kind[: kind.index('[')]}, which is no number; convert dates"
    with pytest.raises(ValueError, match="row 0 of X " + message):
        estimator.fit(dates, y)
    estimator.fit(ROWS, y)
    with pytest.raises(ValueError, match="row 0 of X " + message):
        estimator.predict(dates)
    with pytest.raises(ValueError, match="row 0 of weights " + message):
        estimator.fit(ROWS, y, sample_weight=dates[:, 0])


@pytest.mark.parametrize(
    "value",
    [
        datetime.date(2020, 1, 1),
        datetime.timedelta(1),
        np.datetime64("2020-01-01"),
        np.timedelta64(1, "D"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_objects_that_are_no_numbers_are_refused_wherever_they_stand(value):
    pandas = pytest.importorskip("pandas")
    y, rows = [0, 1, 2, 0, 1, 2], ROWS.astype(object)
    rows[3, 2] = value
    message = "row 3 of {} holds .* which is no number"
    table = pandas.DataFrame(ROWS, columns=list("abcdef")).assign(c=rows[:, 2])
    for given in rows, rows.tolist(), table:
        with pytest.raises(ValueError, match=message.format("X")):
            FaastClassifier().fit(given, y)
    with pytest.raises(ValueError, match=message.format("weights")):
        FaastClassifier().fit(ROWS, y, sample_weight=rows[:, 2])
    with pytest.raises(ValueError, match=message.format("y")):
        FaastRegressor().fit(ROWS, rows[:, 2])


@pytest.mark.parametrize("value", ["Timestamp", "NA"])
def test_dates_and_missing_values_of_pandas_are_no_numbers(value):
    pandas = pytest.importorskip("pandas")
    rows = ROWS.astype(object)
    rows[3, 2] = pandas.NA if value == "NA" else pandas.Timestamp("2020-01-01", tz="UTC")
    with pytest.raises(ValueError, match=r"row 3 of X holds .* which is no number"):
        FaastClassifier().fit(rows, [0, 1, 2, 0, 1, 2])


def test_dates_of_polars_are_no_numbers():
    polars = pytest.importorskip("polars")
    table = polars.DataFrame({"day": [datetime.date(2020, 1, 1)] * 3, "size": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="row 0 of X holds 2020-01-01"):
        FaastClassifier().fit(table, [0, 1, 0])
    with pytest.raises(ValueError, match="row 0 of y holds 2020-01-01"):
        FaastRegressor().fit(ROWS[:3], table)


def test_masked_entries_are_not_read():
    masked = np.ma.masked_array(ROWS, mask=np.eye(6, 6, 1))
    for model in FaastClassifier(), FaastRegressor():
        with pytest.raises(ValueError, match="row 0 of X is masked"):
            model.fit(masked, np.arange(6))
        with pytest.raises(ValueError, match="row 1 of weights is masked"):
            model.fit(ROWS, np.arange(6), sample_weight=masked[0])
    with pytest.raises(ValueError, match="row 0 of keys is masked"):
        AssociativeMemory().learn(masked, VALUES)
    with pytest.raises(ValueError, match="row 0 of values is masked"):
        AssociativeMemory().learn(ROWS, masked)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 2, 0, 1], "same number of rows, got 6 and 5"),
        ([0, 1, np.nan, 0, 1, 2], "label of row 2 is missing .*NaN"),
        (["a", None, "b", "a", "a", "b"], "label of row 1 is missing"),
        ([0.1, 0.2, 0.3, 0.1, 0.2, 0.3], "Unknown label type"),
        (
            np.full((6, 2), 2),
            "row 0 of y holds 2 in column 0; a matrix y must be a multi-label indicator",
        ),
    ],
)
def test_classifier_refuses_bad_labels_and_stays_as_it_was(labels, message):
    model = FaastClassifier().fit(ROWS, [0, 1, 2, 0, 1, 2])
    before = model.learned_.statistics.moments.copy()
    with pytest.raises(ValueError, match=message):
        model.partial_fit(ROWS, labels)
    assert model.learned_.statistics.moments == before
    assert model.classes_.tolist() == [0, 1, 2]


def test_an_error_after_a_new_class_was_seen_leaves_no_class_behind():
    model = FaastClassifier().fit(ROWS, [0, 1, 2, 0, 1, 2])
    with pytest.raises(ValueError, match="too large"):
        model.partial_fit([[1e6] * 6], [7])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.learned_.statistics.moments.n_values == 3


def test_unknown_solvers_are_named():
    with pytest.raises(ValueError, match='solver must be "auto" or a solver'):
        FaastClassifier(solver="svd").fit(ROWS, [0, 1, 2, 0, 1, 2])


LEARNERS = [
    (FaastClassifier, list("aabbcc")),
    (NaturalGradientClassifier, list("aabbcc")),
    (FaastRegressor, np.arange(6.0)),
]


@pytest.mark.parametrize(("learner", "y"), LEARNERS)
def test_rows_whose_weights_sum_to_one_are_warned_about_and_others_are_not(learner, y):
    with pytest.warns(UserWarning, match="weights of the rows sum to 1, .* divide the weights"):
        learner().fit(ROWS, y, sample_weight=np.full(6, 1 / 6))
    for weights in (None, np.ones(6), np.linspace(0.2, 1.8, 6)):
        learner().fit(ROWS, y, sample_weight=weights)
    learner().fit(ROWS[:1], y[:1], sample_weight=[1.0])
    learner().fit(ROWS, y, sample_weight=0.5)
