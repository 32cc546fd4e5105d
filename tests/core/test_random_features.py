"""Random features are exact and the same in any batch; what is learned of them can be forgotten."""

import numpy as np
import pytest

from faast import FaastClassifier
from faast.core.feature_sums import sum_features
from faast.core.grid import Grid
from faast.core.random_features import RandomFeatures, most_columns, narrow_rows, signs

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


def unit_rows(rng, n_rows, n_features):
    X = rng.standard_normal((n_rows, n_features))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def features_of(X, width=None):
    """Random features chosen for rows, and the rows as they are mapped."""
    grid = Grid(20)
    narrow = narrow_rows(grid.rounded(X), grid)
    width = most_columns(X.shape[1]) if width is None else width
    return RandomFeatures.of(narrow, np.ones(len(X)), grid, width), narrow


def test_products_sketch_the_squared_kernel_of_what_varies(rng):
    X = unit_rows(rng, 400, 64)
    features, narrow = features_of(X)
    products = features.map(narrow)[:, 64:]
    centred = X - X.mean(axis=0)
    kernel = (centred @ np.cov(centred.T) @ centred.T) ** 2
    sketch = products @ products.T / products.shape[1]
    assert np.corrcoef(sketch.ravel(), kernel.ravel())[0, 1] > 0.7


@pytest.mark.parametrize("width", [None, 60, 150])
def test_mapped_rows_are_integers_that_do_not_depend_on_their_batch(rng, width):
    features, narrow = features_of(unit_rows(rng, 300, 48), width)
    whole = features.map(narrow)
    assert whole.shape == (300, width or most_columns(48))
    assert np.array_equal(whole, np.rint(whole))
    one_by_one = [features.map(narrow[[i]]) for i in range(300)]
    assert np.array_equal(whole, np.concatenate(one_by_one))
    left, right = features.factors()
    widest, _ = features_of(unit_rows(rng, 300, 48))
    assert np.array_equal(left, widest.factors()[0][: len(left)])
    assert np.array_equal(right, widest.factors()[1][: len(right)])


@pytest.mark.parametrize("heaviest", [1, 2, 1000, 10**9])
def test_float32_sums_are_those_of_integers(rng, heaviest):
    X = unit_rows(rng, 3000, 40)
    X[:20] *= 2.0  # long rows have large products
    features, narrow = features_of(X)
    weights = rng.integers(1, heaviest + 1, len(X))
    classes = rng.integers(0, 3, len(X))
    found = sum_features(features, narrow, classes, weights.astype(float), 3)
    mapped = features.map(narrow).astype(np.int64)
    gram = (mapped * weights[:, None]).T @ mapped
    assert np.array_equal(found.gram, gram)
    assert np.array_equal(
        found.cross, mapped.T @ (np.eye(3, dtype=int)[classes] * weights[:, None])
    )
    assert np.array_equal(found.key_sum, weights @ mapped)


def test_products_that_leave_float32_are_summed_in_parts(rng, monkeypatch):
    monkeypatch.setattr("faast.core.feature_sums.EXACT_FLOAT32", 2.0**16)
    test_float32_sums_are_those_of_integers(rng, 3)


def test_real_weights_are_summed_as_they_are(rng):
    features, narrow = features_of(unit_rows(rng, 500, 12))
    weights, classes = rng.random(500), rng.integers(0, 2, 500)
    found = sum_features(features, narrow, classes, weights, 2)
    mapped = features.map(narrow).astype(float)
    gram = (mapped * weights[:, None]).T @ mapped
    assert np.abs(found.gram - gram).max() < 1e-6 * gram.max()
    assert np.allclose(found.key_sum, weights @ mapped, rtol=1e-5, atol=1e-2)


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
    X = rng.standard_normal((1100, 4)) / 4
    y = np.digitize(X[:, 0] * X[:, 1], [-0.02, 0.02])
    order = rng.permutation(1100)
    whole, shuffled = FaastClassifier().fit(X, y), FaastClassifier()
    for part in np.array_split(order, 5):
        shuffled.partial_fit(X[part], y[part])
    extra = X[:50] + 0.01
    shuffled.partial_fit(extra, y[:50]).forget(extra, y[:50])
    assert whole.weights_.mapped is not None
    assert_same_bits(whole, shuffled)


def test_forgotten_rows_leave_the_rows_for_features(rows):
    X, y = rows
    kept = FaastClassifier(selection_rows=FEW).fit(X[:100], y[:100])
    before = kept.learned_.statistics.mapped.to_state().tensors
    kept.partial_fit(X[100:], y[100:]).forget(X[100:], y[100:])
    for name, tensor in kept.learned_.statistics.mapped.to_state().tensors.items():
        assert np.array_equal(tensor, before[name]), name


def test_a_class_may_arrive_late_while_mapped_rows_wait(rows):
    X, y = rows
    early = y < 2
    grown = FaastClassifier(selection_rows=FEW).fit(X[early], y[early])
    grown.partial_fit(X[~early], y[~early])
    assert_same_bits(grown, FaastClassifier(selection_rows=FEW).fit(X, y))


@pytest.mark.parametrize("room", [1000, 60])
def test_many_rows_are_kept_in_bytes_in_any_order(rng, monkeypatch, room):
    """With room for all, or for a sample of them."""
    monkeypatch.setattr("faast.core.feature_rows.WHOLE_ROWS", 50)
    monkeypatch.setattr("faast.core.feature_rows.NARROW_ROWS", room)
    X, y = unit_rows(rng, 150, 6), rng.integers(0, 3, 150)
    whole = FaastClassifier(selection_rows=FEW).fit(X, y)
    streamed = FaastClassifier(selection_rows=FEW).fit(X[90:], y[90:])
    for start in range(0, 90, 7):
        part = slice(start, min(start + 7, 90))
        streamed.partial_fit(X[part], y[part])
    merged = FaastClassifier(selection_rows=FEW).fit(X[100:], y[100:])  # these are kept whole
    merged.merge(FaastClassifier(selection_rows=FEW).fit(X[:100], y[:100]))
    assert_same_bits(whole, streamed)
    assert_same_bits(whole, merged)
    kept = whole.learned_.statistics.mapped
    assert kept.rows.keys.dtype == np.int8
    assert len(kept.rows) == min(room, 150)
    few = FaastClassifier(selection_rows=FEW).fit(X[:45], y[:45])
    few.partial_fit(X[:45], y[:45]).forget(X[:45], y[:45])  # 45 distinct rows are few
    assert_same_bits(few, FaastClassifier(selection_rows=FEW).fit(X[:45], y[:45]))
    assert few.learned_.statistics.mapped.is_whole
    more = FaastClassifier(selection_rows=FEW).fit(X, y)
    more.partial_fit(1.5 * X[:100], y[:100]).forget(1.5 * X[:100], y[:100])
    left = more.learned_.statistics.mapped.rows
    if room > 250:
        for name, tensor in left.to_state().tensors.items():
            assert np.array_equal(tensor, kept.rows.to_state().tensors[name]), name
    else:  # others had their places, and a smaller sample of the same rows is left
        assert set(left.hashes.tolist()) < set(kept.rows.hashes.tolist())


def test_what_is_kept_in_bytes_goes_on_learning_from_a_file(rows, monkeypatch, tmp_path):
    from faast import load

    monkeypatch.setattr("faast.core.feature_rows.WHOLE_ROWS", 50)
    X, y = rows
    model = FaastClassifier(selection_rows=FEW).fit(X[:100], y[:100])
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model").partial_fit(X[100:], y[100:])
    assert_same_bits(loaded, FaastClassifier(selection_rows=FEW).fit(X, y))


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


@pytest.mark.parametrize("n_rows", [2000, 6000])
def test_linear_classes_are_read_without_random_features(rng, n_rows):
    y = rng.integers(0, 3, n_rows)
    X = rng.standard_normal((3, 20))[y] + 2 * rng.standard_normal((n_rows, 20))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    assert not FaastClassifier().fit(X, y).n_random_features_


def test_whether_classes_are_linear_does_not_depend_on_their_order(rng):
    """Classes in tasks: no task alone is curved."""
    X = rng.uniform(-1, 1, (6000, 3))
    y = 2 * (X[:, 0] > 0) + (X[:, 1] > 0)
    y = np.where(X[:, 2] > 0, y, y % 3)
    whole, tasks = FaastClassifier().fit(X, y), FaastClassifier()
    for quarter in np.array_split(np.lexsort((X[:, 0] > 0, X[:, 1] > 0)), 4):
        tasks.partial_fit(X[quarter], y[quarter])
        assert tasks.n_random_features_ in (0, whole.n_random_features_)
    assert whole.n_random_features_
    assert_same_bits(whole, tasks)


def test_a_loaded_model_reads_its_random_features(rng, tmp_path):
    from faast import load

    X = rng.uniform(-1, 1, (2000, 2))
    y = X[:, 0] * X[:, 1] > 0
    model = FaastClassifier().fit(X, y)
    for kept in (model, model.compact()):
        kept.save(tmp_path / "model")
        loaded = load(tmp_path / "model")
        assert np.array_equal(loaded.decision_function(X), model.decision_function(X))
