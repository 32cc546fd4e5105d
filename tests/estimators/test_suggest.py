"""Rows to label next: informative, different from each other, and chosen in any order alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import faast
from faast import FaastClassifier, TextClassifier
from faast.estimators.next_rows import _Design
from tests.strategies import orders_and_cuts


@pytest.fixture(scope="module")
def digits():
    rows, labels = load_digits(return_X_y=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), labels


def accuracies(rows, labels, choose, seed):
    """Accuracy after 30 rows at random and after each ten of 60 more that `choose` picks."""
    order = np.random.default_rng(seed).permutation(1200)
    learned, pool = order[:15], order[15:]
    model, found = FaastClassifier().fit(rows[learned], labels[learned]), []
    for _ in range(6):
        picks = choose(model, pool)
        model.partial_fit(rows[pool[picks]], labels[pool[picks]])
        pool = np.delete(pool, picks)
        found.append(model.score(rows[1200:], labels[1200:]))
    return np.mean(found)


def test_suggested_rows_teach_more_than_random_ones(digits):
    rows, labels = digits
    random = np.random.default_rng(0)
    gains = [
        accuracies(rows, labels, lambda m, pool: m.suggest(rows[pool], 10).rows, seed)
        - accuracies(rows, labels, lambda m, pool: random.choice(len(pool), 10, False), seed)
        for seed in range(3)
    ]
    assert np.mean(gains) > 0.03


def test_suggestions_say_why(digits):
    rows, labels = digits
    model = FaastClassifier().fit(rows[:60], labels[:60])
    found = model.suggest(rows[60:], 12)
    assert len(set(found.rows.tolist())) == 12
    assert found.n_pool == len(rows) - 60
    assert found.label.tolist() == model.predict(rows[60:][found.rows]).tolist()
    assert np.all((found.distance > 0) & (found.distance <= 1))
    assert np.all(np.diff(found.gain) < 1e-12)  # the first row removes the most doubt
    assert 0 < found.gain.sum() < 1
    everything = 1 - (model.predict_proba(rows[60:]) ** 2).sum(axis=1)
    np.testing.assert_allclose(found.doubt, everything[found.rows])
    assert found.doubt.mean() > everything.mean()


def test_twins_are_not_both_suggested(digits):
    rows, labels = digits
    model = FaastClassifier().fit(rows[:60], labels[:60])
    alone = model.suggest(rows[60:1000], 10).rows
    doubled = model.suggest(np.concatenate([rows[60:1000]] * 2), 10).rows % 940
    assert len(set(doubled.tolist())) == 10
    assert len(set(doubled.tolist()) & set(alone.tolist())) >= 5


def test_a_design_picks_what_inverting_anew_would(rng):
    Z, tells = rng.standard_normal((40, 6)), rng.random(40)
    learned = rng.standard_normal((5, 6))
    design = _Design(Z, tells, learned.T @ learned, tells, 0.5)
    A, M, left = learned.T @ learned + 0.5 * np.eye(6), (Z.T * tells) @ Z, list(range(40))
    for _ in range(8):
        before = np.trace(np.linalg.inv(A) @ M)
        after = {i: np.trace(np.linalg.inv(A + tells[i] * np.outer(Z[i], Z[i])) @ M) for i in left}
        best = min(after, key=after.get)
        row, distance, gain = design.pick()
        assert row == best
        first = np.trace(np.linalg.inv(learned.T @ learned + 0.5 * np.eye(6)) @ M)
        assert gain == pytest.approx((before - after[best]) / first)
        expected = 0.5 * Z[best] @ np.linalg.solve(A, Z[best]) / (Z[best] @ Z[best])
        assert distance == pytest.approx(expected)
        A = A + tells[best] * np.outer(Z[best], Z[best])
        left.remove(best)


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_order_and_batches_of_the_pool_do_not_matter(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    rows = rng.standard_normal((50, 5))
    model = FaastClassifier().fit(rows[:10], np.arange(10) % 3)
    pool = rows[10:]
    parts = data.draw(orders_and_cuts(len(pool)))
    candidates = data.draw(st.sampled_from([20, 100]))

    def suggested(batches):
        chooser = model.row_chooser(candidates)
        for batch in batches:
            chooser.add(batch)
        return chooser.choose(5)

    whole, pieces = suggested([pool]), suggested([pool[part] for part in parts])
    places = np.concatenate(parts)[pieces.rows]
    assert places.tolist() == whole.rows.tolist()
    np.testing.assert_allclose(pieces.gain, whole.gain, rtol=1e-6)


def test_a_pool_larger_than_the_candidates_is_sampled_where_the_doubt_is(digits):
    rows, labels = digits
    model = FaastClassifier().fit(rows[:60], labels[:60])
    chooser = model.row_chooser(candidates=200)
    for start in range(60, 1797, 100):
        chooser.add(rows[start : start + 100])
        assert len(chooser.candidates) <= 200
    assert chooser._doubt(rows[60:][chooser.candidates]).mean() > chooser._doubt(rows[60:]).mean()
    few = chooser.choose(10)
    every = model.suggest(rows[60:], 10)
    assert few.gain.sum() == pytest.approx(every.gain.sum(), rel=0.3)
    assert few.n_pool == every.n_pool


@pytest.mark.parametrize("n_rows", [0, 3, 20])
def test_columns_that_no_row_needs_change_nothing(rng, n_rows):
    """Few rows of many columns are turned to fewer columns first."""
    rows, turn = rng.standard_normal((40, 30)), np.linalg.qr(rng.standard_normal((400, 30)))[0]
    found = []
    for X in (rows, rows @ turn.T):
        model = FaastClassifier()
        if n_rows:
            model.fit(X[:n_rows], np.arange(n_rows) % 2)
        found.append(model.suggest(X[20:], 8))
    assert found[0].rows.tolist() == found[1].rows.tolist()
    np.testing.assert_allclose(found[0].gain, found[1].gain, rtol=1e-2)


def test_nothing_is_learned_by_asking_and_files_answer_alike(digits, tmp_path):
    rows, labels = digits
    model = FaastClassifier().fit(rows[:60], labels[:60])
    before = model.learned_
    found = model.suggest(rows[60:], 5)
    assert model.learned_ is before
    model.save(tmp_path / "model")
    assert faast.load(tmp_path / "model").suggest(rows[60:], 5).rows.tolist() == found.rows.tolist()


def test_before_anything_is_learned_the_pool_alone_decides(digits):
    rows, labels = digits
    model = FaastClassifier()
    found = model.suggest(rows[:1200], 20)
    assert not hasattr(model, "n_features_in_")
    assert found.label.tolist() == [None] * 20
    random = np.random.default_rng(0).choice(1200, (5, 20))
    reached = len(set(labels[found.rows].tolist()))
    assert reached >= np.mean([len(set(labels[chosen].tolist())) for chosen in random])


def test_texts_several_labels_and_classes_without_rows():
    texts = ["lost card", "stolen card", "no cash", "cash stuck", "exchange rate", "bad rate"]
    labels = ["card", "card", "cash", "cash", "rate", "rate"]
    model = TextClassifier("hashing").fit(texts[:4], labels[:4])
    assert set(model.suggest(texts, 2).rows.tolist()) & {4, 5}
    lists = [[label] for label in labels]
    several = TextClassifier("hashing").fit(texts, lists)
    found = several.suggest(["lost card and no cash", "a bad rate", "weather"], 3)
    assert sorted(found.rows.tolist()) == [0, 1, 2]
    assert all(isinstance(label, list) for label in found.label)


def test_equal_rows_and_pools_smaller_than_the_wish_work(digits):
    rows, labels = digits
    model = FaastClassifier().fit(rows[:60], labels[:60])
    assert sorted(model.suggest(rows[60:63], 10).rows.tolist()) == [0, 1, 2]
    same = model.suggest(np.repeat(rows[60:61], 4, axis=0), 2)
    assert len(set(same.rows.tolist())) == 2
    assert np.isfinite(same.gain).all()


@pytest.mark.parametrize(
    ("pool", "n", "message"),
    [
        (np.zeros((0, 64)), 5, "the pool is empty"),
        (iter(()), 5, "the pool is empty"),
        (np.ones((3, 64)), 0, "n must be a number of rows from 1 to 4,096, got 0"),
        (np.ones((3, 64)), True, "n must be a number of rows"),
        (np.ones((3, 64)), 2.5, "n must be a number of rows"),
        (np.ones((3, 63)), 5, "63 features"),
        (np.full((3, 64), np.nan), 5, "NaN"),
    ],
)
def test_impossible_requests_are_refused(digits, pool, n, message):
    rows, labels = digits
    model = FaastClassifier().fit(rows[:60], labels[:60])
    with pytest.raises(ValueError, match=message):
        model.suggest(pool, n)
    with pytest.raises(ValueError, match="compacted"):
        model.compact().suggest(rows, 5)
