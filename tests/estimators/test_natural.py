import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import faast
from faast import FaastClassifier, NaturalGradientClassifier, Ridge
from tests.strategies import problems

SMALL = {"window": 500, "buffer": 60}


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    order = np.random.default_rng(2).permutation(len(images))
    images, labels = images[order], labels[order]
    return images[:1200], labels[:1200], images[1200:], labels[1200:]


def test_one_pass_is_as_good_as_logistic_regression(digits):
    rows, labels, queries, answers = digits
    ours = NaturalGradientClassifier().fit(rows, labels)
    theirs = LogisticRegression(C=10.0, max_iter=1000).fit(rows, labels)
    assert ours.score(queries, answers) >= theirs.score(queries, answers) - 0.02
    expected, given = theirs.predict_proba(queries), ours.predict_proba(queries)
    assert np.abs(expected - given).mean() < 0.02


@pytest.mark.parametrize("sizes", [{}, SMALL])
def test_asking_in_between_changes_nothing(digits, sizes):
    rows, labels, queries, answers = digits
    asked, silent = NaturalGradientClassifier(**sizes), NaturalGradientClassifier(**sizes)
    for part in np.array_split(np.arange(len(rows)), [600, 605]):
        for model in (asked, silent):
            model.partial_fit(rows[part], labels[part])
        asked.predict(queries)
    assert np.array_equal(asked.decision_function(queries), silent.decision_function(queries))
    assert asked.online_losses_ == silent.online_losses_
    assert asked.score(queries, answers) > 0.92


@given(data=st.data())
@settings(deadline=None, max_examples=15)
def test_loaded_models_learn_on_as_if_never_saved(tmp_path_factory, data):
    rows, labels = data.draw(problems())
    rows, labels = np.tile(rows, (12, 1)), np.tile(labels, 12)  # several blocks
    cut = data.draw(st.integers(2, len(rows) - 1))
    path = tmp_path_factory.mktemp("model") / "model"
    never_saved = NaturalGradientClassifier(**SMALL).fit(rows[:cut], labels[:cut])
    never_saved.save(path)
    loaded = faast.load(path)
    assert np.array_equal(loaded.predict_proba(rows), never_saved.predict_proba(rows))
    for model in (never_saved, loaded):
        model.partial_fit(rows[cut:], np.where(labels[cut:] == 1, 7, labels[cut:]))
    assert np.array_equal(loaded.classes_, never_saved.classes_)
    assert np.array_equal(loaded.predict_proba(rows), never_saved.predict_proba(rows))
    assert loaded.online_losses_ == never_saved.online_losses_


@pytest.mark.parametrize("n_rows", [1, 2, 10, 63, 65])
def test_a_pass_shorter_than_a_block_takes_effect(digits, n_rows):
    rows, labels, *_ = digits
    two = np.flatnonzero(labels < 2)[:n_rows]
    model = NaturalGradientClassifier().fit(rows[two], labels[two])
    assert model.score(rows[two], labels[two]) > 0.95
    late = NaturalGradientClassifier().fit(rows, np.minimum(labels, 8))
    late.partial_fit(rows[labels == 9][:40], [9] * 40)
    assert late.predict_proba(rows[labels == 9])[:, 9].mean() > 0.05


@given(st.data())
@settings(deadline=None, max_examples=25)
def test_never_worse_than_the_frozen_prior_on_rows_not_yet_learned(data):
    rows, _ = data.draw(problems())
    rows = np.tile(rows, (10, 1))
    n_classes = data.draw(st.integers(2, 5))
    noise = np.random.default_rng(data.draw(st.integers(0, 1000))).integers(0, n_classes, len(rows))
    noise[:n_classes] = np.arange(n_classes)
    losses = NaturalGradientClassifier(**SMALL).fit(rows, noise).online_losses_
    assert losses[0] == pytest.approx(np.log(n_classes), rel=1e-5)
    # blocks of 64 rows leave some room for chance
    assert np.mean(losses) <= np.log(n_classes) + 0.02


def test_online_losses_fall(digits):
    losses = NaturalGradientClassifier().fit(*digits[:2]).online_losses_
    assert losses[0] == pytest.approx(np.log(10), rel=1e-5)
    assert np.mean(losses[-5:]) < 0.4


@pytest.mark.parametrize(("buffer", "loss"), [(8192, 0.01), (300, 0.04)])
def test_a_sorted_stream_comes_close_to_a_shuffled_one(digits, buffer, loss):
    rows, labels, queries, answers = digits
    shuffled = NaturalGradientClassifier().fit(rows, labels)
    ordered = NaturalGradientClassifier(buffer=buffer)
    for part in np.array_split(np.argsort(labels, kind="stable"), 40):
        ordered.partial_fit(rows[part], labels[part])
    assert ordered.score(queries, answers) >= shuffled.score(queries, answers) - loss


def test_a_sorted_table_is_as_good_as_a_shuffled_one(digits):
    rows, labels, queries, answers = digits
    order = np.argsort(labels, kind="stable")
    scores = [
        NaturalGradientClassifier(buffer=100).fit(X, y).score(queries, answers)
        for X, y in [(rows, labels), (rows[order], labels[order])]
    ]
    assert abs(scores[0] - scores[1]) < 0.015


def test_integer_weights_count_rows(digits):
    rows, labels, queries, _ = digits
    plain = NaturalGradientClassifier().fit(rows, labels)
    heavy = NaturalGradientClassifier().fit(rows, labels, np.where(labels == 3, 5.0, 1.0))
    assert heavy.n_rows_ == 1200 + 4 * (labels == 3).sum()
    assert heavy.predict_proba(queries)[:, 3].mean() > plain.predict_proba(queries)[:, 3].mean()


def test_the_unit_of_the_rows_does_not_matter(digits):
    rows, labels, queries, answers = digits
    scores = [
        NaturalGradientClassifier().fit(rows * unit, labels).score(queries * unit, answers)
        for unit in (1.0, 1e-3, 1e4)
    ]
    assert max(scores) - min(scores) < 0.005


def test_what_needs_moments_is_not_offered(digits):
    rows, labels, *_ = digits
    model = NaturalGradientClassifier().fit(rows, labels)
    assert not hasattr(model, "forget")
    assert not hasattr(model, "merge")
    assert not hasattr(model, "predict_set")
    with pytest.raises(ValueError, match="cannot merge"):
        FaastClassifier(Ridge()).fit(rows, labels).merge(model)
    with pytest.raises(ValueError, match="one label per row"):
        NaturalGradientClassifier().fit(rows, np.eye(10, dtype=int)[labels])
    with pytest.raises(ValueError, match="mapping of label to weight"):
        NaturalGradientClassifier(class_weight="often").fit(rows, labels)


def test_class_embeddings_are_where_it_starts(digits):
    rows, labels, queries, answers = digits
    means = {c: rows[labels == c].mean(axis=0) for c in range(10)}
    few = slice(20)
    with_them = NaturalGradientClassifier(class_embeddings=means).fit(rows[few], labels[few])
    without = NaturalGradientClassifier().fit(rows[few], labels[few])
    assert with_them.score(queries, answers) > max(0.8, without.score(queries, answers))
    misleading = {c: means[(c + 1) % 10] for c in range(10)}
    wary = NaturalGradientClassifier(class_embeddings=misleading).fit(rows, labels)
    assert wary.online_losses_[0] <= np.log(10) + 1e-6
    assert wary.score(queries, answers) > 0.9
    unseen = NaturalGradientClassifier(class_embeddings=means)
    unseen.fit(rows[labels < 9], labels[labels < 9])
    assert unseen.classes_.tolist() == list(range(10))


def test_one_class_only_then_another(digits):
    rows = digits[0]
    model = NaturalGradientClassifier().fit(rows[:3], ["only"] * 3)
    assert model.predict_proba(rows[:4]).tolist() == [[1.0]] * 4
    model.partial_fit(rows[3:20], ["other"] * 17)
    assert set(model.predict(rows[:20])) <= {"only", "other"}


def test_compact_copies_predict_alike(digits, tmp_path):
    rows, labels, queries, _ = digits
    model = NaturalGradientClassifier().fit(rows, labels)
    model.compact().save(tmp_path / "model")
    loaded = faast.load(tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(queries), model.predict_proba(queries))
    assert loaded.nbytes < model.nbytes


def test_cifar_features_in_one_pass(shared):
    data = load_file(shared / "data" / "image" / "cifar10_mobilenet_v1.safetensors")
    model = NaturalGradientClassifier().fit(data["train.features"], data["train.labels"])
    assert model.score(data["test.features"], data["test.labels"]) >= 0.768


def test_a_row_whose_squares_leave_float32_is_refused_by_number():
    X, y = np.eye(4), ["a", "b", "a", "b"]
    model = NaturalGradientClassifier().fit(X, y)
    with pytest.raises(ValueError, match=r"row 1 holds 1e\+20; entries must be at most 1e\+15"):
        model.partial_fit(X[:2] * [[1.0], [1e20]], y[:2])
    assert model.learned_.n_rows == 4
    assert model.fit(X * 1e12, y).predict(X * 1e12).tolist() == y


def test_balanced_class_weights_are_refused():
    model = NaturalGradientClassifier(class_weight="balanced")
    with pytest.raises(ValueError, match="mapping of label to weight, got 'balanced'"):
        model.fit(np.eye(4), list("aabb"))
