"""What default arguments promise: priors that fade, classes known by name, honest probabilities."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_wine

from faast import FaastClassifier, PseudoInverse, Ridge


@pytest.fixture
def named(rng):
    """Classes around their embeddings: 8 classes, 24 features, any number of rows."""
    embeddings = rng.standard_normal((8, 24))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)

    def rows(n_rows, noise=0.25):
        labels = np.resize(np.arange(8), n_rows)
        X = embeddings[labels] + noise * rng.standard_normal((n_rows, 24))
        return X / np.linalg.norm(X, axis=1, keepdims=True), labels

    return dict(enumerate(embeddings)), rows


def test_a_class_without_rows_is_known_by_its_embedding(named):
    embeddings, rows = named
    X, y = rows(80)
    seen = y < 6
    model = FaastClassifier(class_embeddings=embeddings).fit(X[seen], y[seen])
    assert model.classes_.tolist() == list(range(8))
    queries, answers = rows(400)
    unseen = answers >= 6
    assert (model.predict(queries[unseen]) == answers[unseen]).mean() > 0.6


def test_one_row_a_class_hardly_hurts_even_embeddings_that_are_the_true_means(named):
    embeddings, rows = named
    X, y = rows(8)
    queries, answers = rows(800)
    zero_shot = (queries @ np.stack(list(embeddings.values())).T).argmax(axis=1)
    model = FaastClassifier(class_embeddings=embeddings).fit(X, y)
    assert model.score(queries, answers) >= (zero_shot == answers).mean() - 0.02


def test_a_misleading_prior_fades_as_rows_arrive(named):
    embeddings, rows = named
    shuffled = dict(zip(embeddings, np.roll(list(embeddings.values()), 1, axis=0), strict=True))
    queries, answers = rows(400)
    scores = [
        FaastClassifier(class_embeddings=shuffled).fit(*rows(n)).score(queries, answers)
        for n in (8, 40, 160)
    ]
    assert scores[0] < scores[1] < scores[2]
    plain = FaastClassifier().fit(*rows(160)).score(queries, answers)
    assert scores[2] > plain - 0.02


def test_a_class_with_an_embedding_outlives_its_rows(named):
    embeddings, rows = named
    X, y = rows(40)
    model = FaastClassifier(class_embeddings=embeddings).fit(X, y)
    model.forget(X[y == 3], y[y == 3])
    assert 3 in model.classes_
    assert 3 in model.predict(embeddings[3][None])


def test_an_array_of_embeddings_belongs_to_the_sorted_labels(named):
    embeddings, rows = named
    X, y = rows(40)
    by_name = FaastClassifier(class_embeddings=embeddings).fit(X, y)
    by_order = FaastClassifier(class_embeddings=np.stack(list(embeddings.values()))).fit(X, y)
    assert np.array_equal(by_name.decision_function(X), by_order.decision_function(X))
    with pytest.raises(ValueError, match="has 8 rows, the first rows have 4 classes"):
        FaastClassifier(class_embeddings=by_order.class_embeddings).fit(X[y < 4], y[y < 4])
    with pytest.raises(ValueError, match=r"embedding of 1 must be 24 finite numbers.*shape \(3,\)"):
        FaastClassifier(class_embeddings={1: np.ones(3)}).fit(X, y)


def test_the_papers_fixed_prior_is_there_for_named_solvers(named):
    embeddings, rows = named
    X, y = rows(80)
    E, queries = np.stack(list(embeddings.values())), rows(50)[0]
    model = FaastClassifier(PseudoInverse(alpha=0.8), class_embeddings=embeddings).fit(X, y)
    W = np.linalg.pinv(X, rtol=80**-0.8) @ E[y]
    share = 80 / (40 * 8 + 80)
    expected = (queries * (1 - share) + queries @ W * share) @ E.T
    np.testing.assert_allclose(model.decision_function(queries), expected, atol=1e-4)


@pytest.mark.parametrize("solver", ["auto", Ridge(1e-3)])
def test_balanced_classes_have_equal_priors(solver, rng):
    X = np.concatenate([rng.normal(-0.5, 1, (950, 2)), rng.normal(0.5, 1, (50, 2))]) / 3
    y = np.repeat(["common", "rare"], [950, 50])
    recall = {}
    for weight in (None, "balanced"):
        predicted = FaastClassifier(solver, class_weight=weight).fit(X, y).predict(X)
        recall[weight] = (predicted[950:] == "rare").mean()
    assert recall[None] < 0.2
    assert recall["balanced"] > 0.6


def test_left_out_probabilities_tell_the_accuracy_on_new_rows(rng):
    images, digits = load_digits(return_X_y=True)
    order = rng.permutation(len(digits))
    images, digits = images[order], digits[order]
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    model = FaastClassifier().fit(images[:600], digits[:600])
    left_out = model.loo_proba_
    assert left_out.shape == (600, 10)
    np.testing.assert_allclose(left_out.sum(axis=1), 1)
    estimated = (left_out.argmax(axis=1) == digits[:600]).mean()
    assert estimated == pytest.approx(model.score(images[600:], digits[600:]), abs=0.02)


def test_left_out_probabilities_need_the_rows():
    X = np.random.default_rng(0).standard_normal((60, 3))
    model = FaastClassifier(selection_rows=20).fit(X, np.arange(60) % 2)
    with pytest.raises(ValueError, match="up to selection_rows=20"):
        model.loo_proba_  # noqa: B018


def test_columns_of_very_different_size_are_no_trouble(rng):
    X = rng.standard_normal((300, 4))
    y = X[:, 0] + X[:, 1] > 0
    sizes = np.array([1e-3, 1e4, 1.0, 1e2])
    model = FaastClassifier().fit(X[:200] * sizes, y[:200])
    assert model.score(X[200:] * sizes, y[200:]) > 0.93


@pytest.mark.parametrize(("shots", "standardised", "least"), [(1, True, 0.78), (2, False, 0.84)])
def test_tables_are_scaled_as_far_as_few_rows_can_tell(rng, shots, standardised, least):
    X, y = load_wine(return_X_y=True)  # columns from 0.1 to 1,000
    X = (X - X.mean(axis=0)) / X.std(axis=0) if standardised else X
    scores = []
    for _ in range(15):
        chosen = np.concatenate([rng.permutation(np.flatnonzero(y == c))[:shots] for c in range(3)])
        scores.append(FaastClassifier().fit(X[chosen], y[chosen]).score(X, y))
    assert np.mean(scores) > least


def test_rows_that_are_certain_move_nothing():
    """Classes so far apart that left-out probabilities are 1 to the last digit."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        centres = random.standard_normal((5, 64))
        labels = np.repeat(np.arange(5), 5)
        rows, asked = (centres[labels] + 0.02 * random.standard_normal((25, 64)) for _ in range(2))
        norms = np.linalg.norm(centres, axis=1)[labels, None]
        model = FaastClassifier(class_embeddings=dict(enumerate(centres))).fit(rows / norms, labels)
        assert np.abs(model.weights_.matrix).max() < 1e6
        assert model.score(asked / norms, labels) == 1
