"""Random features are exact and the same in any batch; what is learned of them can be forgotten."""

import numpy as np
import pytest

from faast import FaastClassifier
from faast.core.grid import Grid
from faast.core.random_features import random_features_on, signs

FEW = 40
"""Rows kept in these tests: of the rest only moments are known."""


@pytest.fixture
def rows(rng):
    X = rng.standard_normal((150, 6))
    return X / np.linalg.norm(X, axis=1, keepdims=True), rng.integers(0, 3, 150)


def tensors(model):
    assert model.weights_ is not None  # solved, so that the state holds the head too
    return model.to_state().tensors


def assert_same_bits(left, right):
    assert tensors(left).keys() == tensors(right).keys()
    for name, tensor in tensors(left).items():
        assert np.array_equal(tensor, tensors(right)[name]), name


def test_products_sketch_the_squared_kernel(rng):
    X = rng.standard_normal((40, 64))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    grid = Grid(20)
    features = random_features_on(grid, 64)
    products = (features(grid.rounded(X)) / features.per_unit)[:, 64:]
    kernel = products @ products.T / products.shape[1]
    assert np.corrcoef(kernel.ravel(), ((X @ X.T) ** 2).ravel())[0, 1] > 0.9


def test_mapped_rows_do_not_depend_on_their_batch(rng):
    rows = rng.integers(-(2**20), 2**20, (300, 48)).astype(float)
    features = random_features_on(Grid(20), 48)
    whole = features(rows)
    assert np.array_equal(whole, np.rint(whole))
    assert np.array_equal(whole, np.concatenate([features(rows[[i]]) for i in range(300)]))


def test_signs_are_fixed():
    assert signs(3, 4).tolist() == signs(3, 4).tolist()
    assert set(np.unique(signs(50, 50))) == {-1.0, 1.0}
    assert abs(signs(300, 300).mean()) < 0.02


@pytest.mark.parametrize("settings", [{}, {"key_scale": np.full(6, 64.0)}], ids=["unit", "table"])
def test_mapped_moments_do_not_depend_on_order_or_batching(rows, settings, rng):
    X, y = rows
    if settings:
        X = 40.0 * X
    settings = {"selection_rows": FEW, **settings}
    whole = FaastClassifier(**settings).fit(X, y)
    streamed = FaastClassifier(**settings)
    for part in np.array_split(rng.permutation(150), 11):
        streamed.partial_fit(X[part], y[part])
    merged = FaastClassifier(**settings).fit(X[:30], y[:30])  # all of these are kept
    merged.merge(FaastClassifier(**settings).fit(X[30:], y[30:]))
    assert whole.learned_.statistics.mapped is not None
    assert_same_bits(whole, streamed)
    assert_same_bits(whole, merged)


def test_fewer_shifts_are_the_first_columns_of_all(rows):
    X, y = rows
    few = FaastClassifier(selection_rows=FEW).fit(X, y).learned_.statistics.mapped
    some, every = few.first_shifts(2), few.moments
    assert some.n_features < every.n_features == random_features_on(Grid(20), 6).width
    assert some == every.first_features(some.n_features)
    assert few.first_shifts(2) == some


def test_queries_may_lie_anywhere(rows, tmp_path):
    runtime, _ = pytest.importorskip("onnxruntime"), pytest.importorskip("onnx")
    X, y = rows
    X = X * 40.0  # a table: each column has a scale of its own
    model = FaastClassifier(selection_rows=FEW, key_scale=64.0).fit(
        np.tile(X, (8, 1)), np.tile(y, 8)
    )
    assert model.weights_.mapped is not None
    far = np.float32([[1e4, 0, 0, 0, 0, 0], [-1e9, 1, 1, 1, 1, 1]])
    assert np.allclose(model.predict_proba(far).sum(axis=1), 1.0)
    model.to_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    assert np.array_equal(
        session.run(None, {session.get_inputs()[0].name: far})[0], model.predict(far)
    )


def test_wide_rows_are_not_mapped(rng):
    X, y = rng.standard_normal((1300, 1100)) / 33, rng.integers(0, 3, 1300)
    model = FaastClassifier(selection_rows=1200).fit(X, y)
    assert model.learned_.statistics.mapped is None


def test_rows_that_are_all_kept_are_mapped_the_same_in_any_order(rng):
    X, y = rng.standard_normal((1100, 4)) / 4, rng.integers(0, 3, 1100)
    order = rng.permutation(1100)
    whole, shuffled = FaastClassifier().fit(X, y), FaastClassifier()
    for part in np.array_split(order, 5):
        shuffled.partial_fit(X[part], y[part])
    extra = X[:50] + 0.01
    shuffled.partial_fit(extra, y[:50]).forget(extra, y[:50])
    assert whole.weights_.mapped is not None
    assert_same_bits(whole, shuffled)


def test_forgotten_rows_leave_the_mapped_moments(rows):
    X, y = rows
    kept = FaastClassifier(selection_rows=FEW).fit(X[:100], y[:100])
    before = kept.learned_.statistics.mapped.moments.copy()
    kept.partial_fit(X[100:], y[100:]).forget(X[100:], y[100:])
    assert kept.learned_.statistics.mapped.moments == before


def test_a_class_may_arrive_late_while_mapped_rows_wait(rows):
    X, y = rows
    early = y < 2
    grown = FaastClassifier(selection_rows=FEW).fit(X[early], y[early])
    grown.partial_fit(X[~early], y[~early])
    assert_same_bits(grown, FaastClassifier(selection_rows=FEW).fit(X, y))


def test_many_mapped_rows_are_summed_in_any_order(rng, monkeypatch):
    X, y = rng.standard_normal((150, 6)) / 6, rng.integers(0, 3, 150)
    waiting = FaastClassifier(selection_rows=FEW).fit(X, y).learned_.statistics.mapped
    monkeypatch.setattr("faast.core.feature_moments.WAITING_ROWS", 100)
    whole = FaastClassifier(selection_rows=FEW).fit(X, y)
    streamed = FaastClassifier(selection_rows=FEW).fit(X[90:], y[90:])
    for start in range(0, 90, 7):
        part = slice(start, min(start + 7, 90))
        streamed.partial_fit(X[part], y[part])
    assert_same_bits(whole, streamed)
    summed = whole.learned_.statistics.mapped
    assert "sums" in summed.to_state().metadata
    assert summed.first_shifts(2) == waiting.first_shifts(2)
    twice = FaastClassifier(selection_rows=FEW).fit(X[:60], y[:60])
    before = tensors(twice)
    twice.partial_fit(X[:60], y[:60]).forget(X[:60], y[:60])  # 60 distinct rows are few
    assert "mapped.rows.keys" in " ".join(before)
    assert_same_bits(twice, FaastClassifier(selection_rows=FEW).fit(X[:60], y[:60]))


def test_rows_that_wait_cannot_be_forgotten_unlearned(rows):
    X, y = rows
    model = FaastClassifier(selection_rows=FEW).fit(X, y)
    before = tensors(model)
    with pytest.raises(ValueError, match="never learned"):
        model.forget(X[:1] * 0.5, y[:1])
    for name, tensor in tensors(model).items():
        assert np.array_equal(tensor, before[name]), name


def test_curved_classes_need_random_features_and_get_them(rng):
    X = rng.uniform(-1, 1, (6000, 2))
    y = np.where(X[:, 0] * X[:, 1] > 0, "same", "opposite")
    model = FaastClassifier().fit(X[:5000], y[:5000])
    assert model.score(X[5000:], y[5000:]) > 0.95
    table = FaastClassifier().fit(50 * X[:5000], y[:5000])
    assert table.score(50 * X[5000:], y[5000:]) > 0.95
    few = FaastClassifier().fit(X[:2000], y[:2000])  # all kept, mapped when solved
    assert few.score(X[5000:], y[5000:]) > 0.95


def test_a_loaded_model_reads_its_random_features(rng, tmp_path):
    from faast import load

    X = rng.uniform(-1, 1, (2000, 2))
    y = X[:, 0] * X[:, 1] > 0
    model = FaastClassifier().fit(X, y)
    for kept in (model, model.compact()):
        kept.save(tmp_path / "model")
        loaded = load(tmp_path / "model")
        assert np.array_equal(loaded.decision_function(X), model.decision_function(X))
