"""One row at a time: the state stays exact, and the weights between solutions stay close to it."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

import faast
from faast import (
    FaastClassifier,
    NaturalGradientClassifier,
    OnlineClassifier,
    Ridge,
    TextClassifier,
)
from faast.core.persistence import content_hash
from faast.encoders.hashing import HashingEncoder
from faast.solvers.columns import is_table
from faast.solvers.recursive import RecursiveDiscriminant
from tests.strategies import problems


@pytest.fixture(scope="module")
def digits():
    rows, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(rows))
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows[order], labels[order]


def learned(rows, labels, **settings):
    online = OnlineClassifier(FaastClassifier(), **settings)
    for x, y in zip(rows, labels, strict=True):
        online.learn_one(x, y)
    return online


def probabilities(online, rows):
    return np.array([list(online.predict_proba_one(x).values()) for x in rows])


def exact(model, rows):
    """Predict row by row, as the last bits of a product depend on the number of rows."""
    return np.array([model.predict_proba(x[None])[0] for x in rows])


def hash_of(model):
    return content_hash(*model.to_state())


# -- exactness -----------------------------------------------------------------------------------


@settings(max_examples=12, deadline=None)
@given(problems(), st.randoms(use_true_random=False), st.sampled_from([0.1, 0.5, np.inf]))
def test_after_solve_it_is_the_classifier_fitted_on_all_rows_at_once(problem, random, share):
    rows, labels = problem
    order = list(range(len(rows)))
    random.shuffle(order)
    batch = FaastClassifier().fit(rows, labels)
    answers = batch.predict(rows).tolist()
    online = learned(rows[order], labels[order], solve_share=share).solve()
    assert hash_of(online.classifier) == hash_of(batch)
    np.testing.assert_array_equal(probabilities(online, rows), exact(batch, rows))
    assert [online.predict_one(x) for x in rows] == answers


def test_forgotten_rows_leave_nothing_behind(digits):
    rows, labels = digits[0][:120], digits[1][:120]
    online = learned(rows, labels)
    for x, y in zip(rows[100:], labels[100:], strict=True):
        online.forget_one(x, y)
    online.solve()
    batch = FaastClassifier().fit(rows[:100], labels[:100])
    np.testing.assert_array_equal(probabilities(online, rows), exact(batch, rows))


def test_the_only_row_of_a_class_is_forgotten_at_once(digits):
    rows, labels = digits[0][:6], np.array([*range(5), 9])
    online = learned(rows, labels).solve().forget_one(rows[5], 9)
    batch = FaastClassifier().fit(rows[:5], labels[:5])
    np.testing.assert_array_equal(probabilities(online, rows), exact(batch, rows))


def test_all_rows_can_be_forgotten_and_others_learned(digits):
    rows, labels = digits[0][:20], digits[1][:20]
    online = learned(rows, labels)
    for x, y in zip(rows[::-1], labels[::-1], strict=True):
        online.forget_one(x, y)
    assert online.n_rows == 0
    with pytest.raises(ValueError, match="nothing has been learned"):
        online.predict_one(rows[0])
    assert online.learn_one(rows[0], 3).learn_one(rows[1], 3).predict_one(rows[2]) == 3


@pytest.mark.parametrize("labels", [[0] * 30, [0, 1] * 15, [0] * 15 + [1] * 15])
def test_rows_that_repeat_do_no_harm(labels):
    kinds = np.random.default_rng(0).standard_normal((3, 8))
    for rows in (np.zeros((30, 8)), kinds[[0] * 30], kinds[np.arange(30) // 10]):
        online = OnlineClassifier(FaastClassifier(key_scale=4.0))
        for x, y in zip(rows, labels, strict=True):
            found = online.learn_one(x, y).predict_proba_one(x)
            assert sum(found.values()) == pytest.approx(1.0)


def test_the_same_rows_in_the_same_order_give_the_same_predictions(digits):
    rows, labels = digits[0][:150], digits[1][:150]
    one, other = learned(rows, labels), learned(rows, labels)
    assert not one.is_solved
    np.testing.assert_array_equal(probabilities(one, rows), probabilities(other, rows))


def test_weights_are_solved_for_when_enough_rows_are_new(digits):
    rows, labels = digits[0][:60], digits[1][:60]
    online, solved = OnlineClassifier(FaastClassifier().fit(rows[:20], labels[:20])), []
    for n, (x, y) in enumerate(zip(rows[20:], labels[20:], strict=True), start=21):
        if online.learn_one(x, y).is_solved:
            solved.append(n)
    assert solved == [31, 47]
    assert not learned(rows, labels, solve_share=np.inf).is_solved


# -- weights between two solutions ---------------------------------------------------------------


def discriminant(rows, labels, start, strength):
    """Return weights (d, C) and bias of a discriminant with the settings of a start."""
    n = np.bincount(labels, minlength=labels.max() + 1)
    Z = (rows - start.centre) / start.scale
    means = np.array([Z[labels == c].mean(axis=0) for c in range(len(n))])
    within = Z - means[labels]
    shrunk = means * (n / (n + start.pseudo_rows))[:, None]
    A = within.T @ within + strength * np.eye(Z.shape[1])
    matrix = solve(A, shrunk.T, assume_a="pos")
    bias = -0.5 * np.einsum("cd,dc->c", shrunk, matrix) + np.log(n + 1) / start.factor
    matrix /= start.scale[:, None]
    return start.factor * matrix, start.factor * (bias - start.centre @ matrix)


@pytest.mark.parametrize("kind", ["unit", "table", "wide"])
def test_moved_weights_are_those_of_the_discriminant_of_all_rows(digits, kind):
    rows, labels = digits[0][:240], digits[1][:240]
    if kind == "table":
        rows = rows * np.logspace(0, 3, 64)
    if kind == "wide":
        rows = rows[:, :, None] * np.random.default_rng(0).standard_normal((240, 64, 5)) / 5**0.5
        rows = rows.reshape(240, 320)
    order = np.argsort(labels == 9, kind="stable")  # a class of which the start has no row
    rows, labels = rows[order], labels[order]
    model = FaastClassifier().fit(rows[:200], labels[:200])
    statistics = model.statistics_
    assert is_table(statistics.moments) == (kind == "table")
    start = RecursiveDiscriminant.of(model.weights_, statistics)
    assert (start.inverse.matrix.ndim == 0) == (kind == "wide")
    strength = model.weights_.strength
    moved = halfway = start.select_outputs(np.array([*range(9), -1]))
    for n, (row, label) in enumerate(zip(rows[200:], labels[200:], strict=True), start=201):
        moved = moved.move(row, label, 1.0)
        halfway = moved if n == 220 else halfway
    before, after = (discriminant(rows[:n], labels[:n], start, strength) for n in (200, 240))
    size = np.abs(after[0]).max()
    gained = moved.weights.matrix[:, :9] - start.weights.matrix
    np.testing.assert_allclose(gained, after[0][:, :9] - before[0], atol=1e-5 * size)
    np.testing.assert_allclose(moved.weights.matrix[:, 9], after[0][:, 9], atol=1e-5 * size)
    gained = moved.weights.bias[:9] - start.weights.bias
    size = np.abs(after[1]).max()
    np.testing.assert_allclose(gained, after[1][:9] - before[1], atol=1e-5 * size)
    back = moved
    for row, label in zip(rows[:219:-1], labels[:219:-1], strict=True):
        back = back.move(row, label, -1.0)
    assert back.counts.tolist() == np.bincount(labels[:220]).tolist()
    np.testing.assert_allclose(back.weights.matrix, halfway.weights.matrix, atol=1e-5 * size)


def test_predictions_between_solutions_are_as_good_as_exact_ones(digits):
    rows, labels = digits[0][:500], digits[1][:500]
    online, solved = OnlineClassifier(FaastClassifier()), FaastClassifier()
    right, reference, n_solved = 0, 0, 0
    for i, (x, y) in enumerate(zip(rows, labels, strict=True)):
        if i:
            right += online.predict_one(x) == y
            reference += solved.predict(x[None])[0] == y
        n_solved += online.learn_one(x, y).is_solved
        solved.partial_fit(x[None], [y])
    assert n_solved < 20
    assert right > reference - 6
    assert right > 0.87 * len(rows)


def test_rows_change_predictions_at_once(digits):
    rows, labels = digits[0][:400], digits[1][:400]
    known, new = labels != 4, rows[labels == 4]
    model = FaastClassifier().fit(rows[known], labels[known])
    online = OnlineClassifier(model)
    for x in new[:5]:
        online.learn_one(x, 4)
        model.partial_fit(x[None], [4])
    assert not online.is_solved
    found = np.mean([online.predict_one(x) == 4 for x in new[5:]])
    assert found > max(0.7, model.score(new[5:], [4] * len(new[5:])) - 0.06)
    assert list(online.predict_proba_one(new[0])) == list(range(10))


def test_rows_sorted_by_class_are_learned_too(digits):
    rows, labels = digits[0][:500], digits[1][:500]
    order = np.argsort(labels, kind="stable")
    online = learned(rows[order], labels[order])
    found = [online.predict_one(x) for x in digits[0][500:800]]
    assert np.mean(found == digits[1][500:800]) > 0.9


@pytest.mark.parametrize("weight", ["balanced", {3: 4.0, 5: 2.0}])
def test_class_weights_count(digits, weight):
    rows, labels = digits[0][:200], digits[1][:200]
    online = OnlineClassifier(FaastClassifier(class_weight=weight))
    for x, y in zip(rows, labels, strict=True):
        online.learn_one(x, y)
    batch = FaastClassifier(class_weight=weight).partial_fit(rows, labels)
    between = probabilities(online, rows)
    np.testing.assert_array_equal(probabilities(online.solve(), rows), exact(batch, rows))
    assert np.mean(between.argmax(axis=1) == exact(batch, rows).argmax(axis=1)) > 0.97


# -- rows, copies, files -------------------------------------------------------------------------


def test_raw_rows_are_encoded_and_answered_with_plain_labels():
    online = OnlineClassifier(TextClassifier())
    for _ in range(3):
        online.learn_one("lost my card", "card").learn_one("top up failed", "top_up")
    assert online.predict_one("where is my card?") == "card"
    online.forget_one("lost my card", "card")
    assert online.n_rows == 5


class UnsteadyEncoder(HashingEncoder):
    """An encoder whose features depend a little on when a row is encoded."""

    reproducible = False
    shift = 0.0

    def encode_window(self, rows, numbers):
        return super().encode_window(rows, numbers) + np.float32(self.shift)


def test_a_row_is_forgotten_with_the_features_that_it_was_learned_with(tmp_path):
    encoder = UnsteadyEncoder(64)
    classifier = FaastClassifier(encoder=encoder, cache=tmp_path)
    online = OnlineClassifier(classifier, solve_share=np.inf)
    for text, label in [("lost card", "card"), ("top up", "top"), ("no card", "card")]:
        online.learn_one(text, label)
    before = online.solve().predict_proba_one("where is it?")
    online.learn_one("my card", "card")
    encoder.shift = 0.1
    online.forget_one("my card", "card")
    encoder.shift = 0.0
    assert online.predict_proba_one("where is it?") == pytest.approx(before, abs=1e-9)


def test_the_given_classifier_and_copies_stay_as_they_are(digits):
    rows, labels = digits[0][:100], digits[1][:100]
    given = FaastClassifier().fit(rows[:50], labels[:50])
    online = OnlineClassifier(given)
    taken = online.classifier
    online.learn_one(rows[50], labels[50])
    taken.forget(rows[:10], labels[:10])
    assert (given.n_rows_, taken.n_rows_, online.n_rows) == (50, 40, 51)


def test_saved_and_pickled_ones_go_on(digits, tmp_path):
    rows, labels = digits[0][:100], digits[1][:100]
    online = learned(rows[:70], labels[:70])
    twin = pickle.loads(pickle.dumps(online))
    assert not twin.is_solved
    np.testing.assert_array_equal(probabilities(twin, rows), probabilities(online, rows))
    online.classifier.save(tmp_path / "model.faast")
    loaded = OnlineClassifier(faast.load(tmp_path / "model.faast"))
    for one in (online, twin, loaded):
        for x, y in zip(rows[70:], labels[70:], strict=True):
            one.learn_one(x, y)
        one.solve()
    np.testing.assert_array_equal(probabilities(twin, rows), probabilities(online, rows))
    np.testing.assert_array_equal(probabilities(loaded, rows), probabilities(online, rows))


# -- refusals ------------------------------------------------------------------------------------


def test_errors_change_nothing(digits):
    rows, labels = digits[0][:80], digits[1][:80]
    online = learned(rows, labels)
    before, state = probabilities(online, rows), hash_of(online.classifier)
    unlearned = digits[0][90]
    for method, x, y, problem in (
        ("learn_one", rows[0] * np.nan, 1, "NaN"),
        ("learn_one", rows[0][:5], 1, "features"),
        ("learn_one", rows[:2], 1, r"one row of shape \(d,\)"),
        ("learn_one", rows[0] * 1e9, 1, "grid"),
        ("learn_one", rows[0], [1, 2], "one label per row"),
        ("learn_one", rows[0], None, "None"),
        ("forget_one", unlearned, 1, "never learned"),
        ("forget_one", rows[0], 77, "never learned"),
    ):
        with pytest.raises((TypeError, ValueError), match=problem):
            getattr(online, method)(x, y)
        np.testing.assert_array_equal(probabilities(online, rows), before)
        assert hash_of(online.classifier) == state
    empty = OnlineClassifier(FaastClassifier())
    with pytest.raises(ValueError, match="one label per row"):
        empty.learn_one(rows[0], ["a", "b"])
    assert empty.n_rows == 0
    with pytest.raises(NotFittedError):
        empty.predict_one(rows[0])
    with pytest.raises(NotFittedError):
        empty.solve()
    assert empty.learn_one(rows[0], "a").predict_one(rows[1]) == "a"


def test_what_it_cannot_follow_is_refused(digits):
    rows, labels = digits
    with pytest.raises(TypeError, match="NaturalGradientClassifier"):
        OnlineClassifier(NaturalGradientClassifier())
    with pytest.raises(ValueError, match="Ridge"):
        OnlineClassifier(FaastClassifier(Ridge()))
    with pytest.raises(ValueError, match="solve_share"):
        OnlineClassifier(FaastClassifier(), solve_share=0)
    with pytest.raises(ValueError, match="compacted"):
        OnlineClassifier(FaastClassifier().fit(rows[:20], labels[:20]).compact())
    with pytest.raises(ValueError, match="one label per row"):
        OnlineClassifier(FaastClassifier().fit(rows[:3], [["a"], ["a", "b"], []]))


def test_entries_of_a_series_are_found_by_their_names(digits):
    pandas = pytest.importorskip("pandas")
    rows, labels = digits
    table = pandas.DataFrame(rows, columns=[f"pixel {i}" for i in range(64)])
    model = FaastClassifier().fit(table[:100], labels[:100])
    same, turned = OnlineClassifier(model), OnlineClassifier(model)
    for i in range(100, 110):
        row = table.iloc[i]
        assert turned.predict_proba_one(row[::-1]) == same.predict_proba_one(row)
        same.learn_one(row, labels[i])
        turned.learn_one(row[::-1], labels[i])
    one, other = turned.classifier.to_state(), same.classifier.to_state()
    assert content_hash(one.tensors, one.metadata) == content_hash(other.tensors, other.metadata)
    turned.forget_one(table.iloc[100][::-1], labels[100])
    with pytest.raises(ValueError, match="has no column 'pixel 0'"):
        turned.learn_one(table.iloc[0][1:], labels[0])


def test_columns_of_a_row_are_found_by_names_that_were_learned(rng):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(rng.normal(size=(30, 3)), columns=["a", "b", "c"])
    exact = FaastClassifier().fit(table, np.arange(30) % 3)
    row = {"c": table.c[0], "b": table.b[0], "a": table.a[0]}
    online = OnlineClassifier(exact)
    assert online.predict_one(row) == exact.predict_one(row) == exact.predict(table[:1])[0]
    online.learn_one(row, 7).forget_one(row, 7)
    with pytest.raises(ValueError, match=r"expected one row of shape \(d,\), got a dict"):
        OnlineClassifier(FaastClassifier()).learn_one(row, 1)
