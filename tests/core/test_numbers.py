"""Heavy, long, tiny and equal rows: exact, or refused by row; never rounded away without a word."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

import faast
from faast import AssociativeMemory, FaastClassifier, FaastRegressor, Moments


@pytest.mark.parametrize("width", [64, 2048])
def test_many_copies_of_one_row_predict_and_load(width, rng, tmp_path):
    rows = rng.standard_normal((40, width))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    one = np.eye(1, width)
    model = FaastClassifier().fit(rows, np.arange(40) % 2)
    model.partial_fit(np.repeat(one, 10_000, axis=0), np.zeros(10_000, int))
    model.save(tmp_path / "model")
    loaded = faast.load(tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(rows), model.predict_proba(rows))
    assert loaded.n_rows_ == 10_040
    weighted = FaastClassifier().fit(rows, np.arange(40) % 2)
    weighted.partial_fit(one, [0], sample_weight=[10_000])
    assert weighted.statistics_.moments == model.statistics_.moments


def test_copies_beyond_64_bits_are_refused_and_nothing_changes():
    memory = AssociativeMemory().learn(np.eye(3), np.eye(3))
    before = memory.moments.copy()
    with pytest.raises(OverflowError, match="64-bit"):
        memory.learn(np.eye(3), np.eye(3), np.full(3, 2.0**52))
    assert memory.moments == before


def test_a_heavy_row_counts_as_its_copies():
    weight = 2**20 + 1
    heavy = Moments(2, 1).add([[1.0, 0.5]], [[1.0]], [weight])
    assert heavy.exact
    assert heavy.count == weight
    assert heavy.gram.tolist() == [[weight, weight / 2], [weight / 2, weight / 4]]


def test_a_long_row_among_unit_rows_is_learned_and_asked(rng):
    rows = rng.standard_normal((1300, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    model = FaastClassifier(selection_rows=100).fit(rows, np.arange(1300) % 3)
    before = model.predict_proba(rows)
    model.partial_fit(20 * rows[:1], [0])
    assert np.isfinite(model.predict_proba(20 * rows[:5])).all()
    model.forget(20 * rows[:1], [0])
    assert np.array_equal(model.predict_proba(rows), before)


@pytest.mark.parametrize("kept", [12_288, 15_000])
def test_many_rows_are_forgotten_at_once(kept, rng):
    rows = rng.standard_normal((16_000, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.arange(16_000) % 3
    model = FaastClassifier().fit(rows, labels).forget(rows[-kept:], labels[-kept:])
    fresh = FaastClassifier().fit(rows[:-kept], labels[:-kept])
    assert model.statistics_.moments == fresh.statistics_.moments


@pytest.mark.parametrize("scale", [1e-5, 1e-7, 1e-12, 1e-40])
def test_small_numbers_decide_as_large_ones_do(scale, rng):
    Z = rng.standard_normal((400, 3))
    y = (Z[:, 0] + Z[:, 1] > 0).astype(int)
    X = Z * scale
    theirs = LinearDiscriminantAnalysis().fit(Z[:200], y[:200]).score(Z[200:], y[200:])
    assert FaastClassifier().fit(X[:200], y[:200]).score(X[200:], y[200:]) >= theirs - 0.02
    assert FaastRegressor().fit(X[:200], Z[:200, 0]).score(X[200:], Z[200:, 0]) > 0.99
    assert FaastRegressor().fit(Z[:200], X[:200, 0]).score(Z[200:], X[200:, 0]) > 0.99


def test_a_small_column_may_decide(rng):
    Z = rng.standard_normal((400, 3))
    X, y = Z * [0.3, 0.3, 3e-8], Z[:, 2] > 0
    assert FaastClassifier().fit(X[:200], y[:200]).score(X[200:], y[200:]) > 0.95


@pytest.mark.parametrize("entry", [1e300, np.inf, np.nan])
def test_entries_without_finite_squares_are_refused_by_row(entry):
    rows = np.eye(4)
    rows[2, 1] = entry
    with pytest.raises(ValueError, match="row 2 of "):
        FaastClassifier().fit(rows, [0, 1, 0, 1])


def test_rows_of_one_hash_neither_empty_nor_overfill_the_sample(rng, monkeypatch):
    def one_hash(keys):
        return np.full(len(keys), 7, dtype=np.uint64)

    for module in ("sample", "row_collector"):
        monkeypatch.setattr(f"faast.core.{module}.hash_rows", one_hash)
    rows = rng.standard_normal((300, 4)) / 4
    labels = np.arange(300) % 3
    whole = FaastClassifier(selection_rows=50).fit(rows, labels)
    assert len(whole.statistics_.rows) == 50
    streamed = FaastClassifier(selection_rows=50)
    for part in np.array_split(rng.permutation(300), 7):
        streamed.partial_fit(rows[part], labels[part])
    assert np.array_equal(whole.statistics_.rows.keys, streamed.statistics_.rows.keys)
    assert np.array_equal(whole.predict_proba(rows), streamed.predict_proba(rows))
    streamed.forget(rows[:250], labels[:250])
    fresh = FaastClassifier(selection_rows=50).fit(rows[250:], labels[250:])
    assert np.array_equal(fresh.predict_proba(rows), streamed.predict_proba(rows))
