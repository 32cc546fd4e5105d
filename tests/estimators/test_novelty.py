import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

import faast
from faast import Discriminant, FaastClassifier, Ridge
from faast.estimators.novelty import STRENGTH, FeatureGeometry, Novelty


def known_digits(split):
    """Five digits as rows to learn; all digits as queries, and which of them are new."""
    images, labels = load_digits(return_X_y=True)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    known = np.isin(labels, np.random.default_rng(split).permutation(10)[:5])
    taught = known & (np.arange(len(images)) < 1000)
    return images[taught], labels[taught], images[1000:], ~known[1000:]


def other_domain(queries):
    """Turn queries into rows of another make: the same numbers in other places."""
    return queries[:, np.random.default_rng(5).permutation(queries.shape[1])]


@pytest.fixture(scope="module")
def digits():
    return known_digits(split=0)


def aurocs(model, rows, new):
    unsure = -model.predict_proba(rows).max(axis=1)
    return roc_auc_score(new, model.novelty_score(rows)), roc_auc_score(new, unsure)


@pytest.mark.parametrize("solver", ["auto", Discriminant(), Ridge()])
def test_unseen_classes_are_found(solver):
    found = []
    for split in range(4):
        rows, labels, queries, new = known_digits(split)
        model = FaastClassifier(solver, novelty=True).fit(rows, labels)
        found.append(aurocs(model, queries, new))
    ours, max_probability = np.mean(found, axis=0)
    assert ours > max_probability


@pytest.mark.parametrize("shots", [1, 2, 40])
def test_another_domain_is_found(digits, shots):
    rows, labels, queries, new = digits
    few = np.concatenate([np.flatnonzero(labels == c)[:shots] for c in np.unique(labels)])
    model = FaastClassifier(novelty=True).fit(rows[few], labels[few])
    mixed = np.concatenate([queries[~new], other_domain(queries[~new])])
    ours, max_probability = aurocs(model, mixed, np.arange(len(mixed)) >= len(mixed) / 2)
    assert ours > max(max_probability, 0.95)


def test_order_and_batches_do_not_matter(digits):
    rows, labels, queries, _ = digits
    whole = FaastClassifier(novelty=True).fit(rows, labels)
    streamed = FaastClassifier(novelty=True)
    for part in np.array_split(np.random.default_rng(0).permutation(len(rows)), 5):
        streamed.partial_fit(rows[part], labels[part])
    assert np.array_equal(whole.novelty_score(queries), streamed.novelty_score(queries))


def test_files_and_compact_copies_keep_it(digits, tmp_path):
    rows, labels, queries, _ = digits
    model = FaastClassifier(novelty=True).fit(rows, labels)
    expected = model.novelty_score(queries)
    model.save(tmp_path / "whole")
    model.compact().save(tmp_path / "compact")
    for name in ("whole", "compact"):
        assert np.array_equal(faast.load(tmp_path / name).novelty_score(queries), expected)


def test_without_it_an_error_says_how_to_get_it(digits):
    rows, labels, queries, _ = digits
    with pytest.raises(ValueError, match="novelty=True"):
        FaastClassifier().fit(rows, labels).novelty_score(queries)


def test_it_can_be_measured_later(digits, tmp_path):
    rows, labels, queries, _ = digits
    model = FaastClassifier().fit(rows, labels)
    model.save(tmp_path / "model")
    whole = FaastClassifier(novelty=True).fit(rows, labels)
    logits = model.predict_log_proba(queries)
    for measured in (model, faast.load(tmp_path / "model"), whole):
        scores = measured.measure_novelty().score(queries, logits)
        np.testing.assert_allclose(scores, whole.novelty_score(queries), rtol=1e-9)
    assert not model.measures_novelty
    with pytest.raises(ValueError, match="keeps some of them"):
        FaastClassifier(selection_rows=0).fit(rows, labels).measure_novelty()


@pytest.mark.parametrize(("n_rows", "width"), [(30, 12), (200, 12), (40, 64)])
def test_leverage_and_distance_equal_their_definitions(rng, n_rows, width):
    rows = rng.standard_normal((n_rows, width)) / np.sqrt(width)
    labels = rng.integers(0, 3, n_rows)
    rows[:, 0] += labels / 4
    learned = FaastClassifier(Ridge()).fit(rows, labels).learned_.statistics
    geometry, left_out = FeatureGeometry.from_statistics(learned)
    held = learned.moments.from_grid(learned.rows.keys, learned.rows.values)[0]
    codes = learned.rows.values.argmax(axis=1)
    Z = (held - held.mean(axis=0)) / held.std(axis=0)
    queries = rng.standard_normal((5, width))
    asked = (queries - held.mean(axis=0)) / held.std(axis=0)
    floor = STRENGTH * n_rows  # mean eigenvalue of the scatter of columns of unit variance
    eye = floor * np.eye(width)

    def defined(rows, codes, asked):
        means = np.stack([rows[codes == c].mean(axis=0) for c in range(3)])
        within = np.linalg.inv((rows - means[codes]).T @ (rows - means[codes]) + eye)
        offsets = asked - means
        return np.einsum("ij,jk,ik->i", offsets, within, offsets).min()

    position = geometry.locate(queries)
    leverage = np.einsum("ij,jk,ik->i", asked, np.linalg.inv(Z.T @ Z + eye), asked)
    np.testing.assert_allclose(position.leverage, leverage, rtol=1e-8)
    np.testing.assert_allclose(position.distance, [defined(Z, codes, q) for q in asked], rtol=1e-8)
    if n_rows < width:
        return  # see the next test
    others = [np.delete(np.arange(n_rows), i) for i in range(n_rows)]
    without = [defined(Z[o], codes[o], Z[i]) for i, o in enumerate(others)]
    np.testing.assert_allclose(left_out.distance, without, rtol=1e-8)
    without = [Z[i] @ np.linalg.inv(Z[o].T @ Z[o] + eye) @ Z[i] for i, o in enumerate(others)]
    np.testing.assert_allclose(left_out.leverage, without, rtol=1e-8)


def test_fewer_rows_than_columns_are_left_out_of_scales_too(rng):
    rows, labels = rng.standard_normal((8, 64)), np.arange(8) % 2
    learned = FaastClassifier(Ridge()).fit(rows, labels).learned_.statistics
    left_out = FeatureGeometry.from_statistics(learned)[1]
    held = learned.sampled_rows()
    for i in range(8):
        kept = np.delete(np.arange(8), i)
        others = FaastClassifier(Ridge()).fit(held.keys[kept], held.values[kept].argmax(axis=1))
        geometry, _ = FeatureGeometry.from_statistics(others.learned_.statistics)
        position = geometry.locate(held.keys[i : i + 1])
        np.testing.assert_allclose(position.leverage, left_out.leverage[i], rtol=1e-4)
        np.testing.assert_allclose(position.distance, left_out.distance[i], rtol=1e-4)


@pytest.mark.parametrize(
    ("n_rows", "width"), [(8, 20), (16, 100), (64, 100), (200, 100), (600, 20)]
)
def test_p_values_are_as_rare_as_they_say(n_rows, width):
    rng, rare = np.random.default_rng(0), []
    for _ in range(6):
        centres = 4 * rng.standard_normal((2, width)) / np.sqrt(width)
        labels = np.arange(n_rows + 200) % 2
        rows = centres[labels] + rng.standard_normal((len(labels), width))
        model = FaastClassifier(novelty=True).fit(rows[:n_rows], labels[:n_rows])
        p_values = model.novelty_p_value(rows[n_rows:])
        assert p_values.min() >= 0.999 / (n_rows + 1)
        rare.append(np.mean(p_values <= 0.05))
    assert np.mean(rare) < 0.08


@pytest.mark.filterwarnings("error")
def test_rows_whose_squares_overflow_are_as_novel_as_can_be(digits):
    rows, labels, queries, _ = digits
    model = FaastClassifier(novelty=True).fit(rows, labels)
    for scale in (1e100, 1e160, 1e300):
        assert model.novelty_p_value(queries[:3] * scale) == pytest.approx(1 / (len(rows) + 1))


def test_scores_grow_without_bound_away_from_all_rows(digits):
    rows, labels, queries, _ = digits
    model = FaastClassifier(novelty=True).fit(rows, labels)
    assert isinstance(model._head().novelty, Novelty)
    far = np.stack([model.novelty_score(queries[:20] + shift) for shift in (0, 1, 10, 100)])
    assert np.all(np.diff(far, axis=0) > 0)
