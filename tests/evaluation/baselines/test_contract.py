"""What a user relies on, for every baseline."""

import random

import numpy as np
import pytest
from sklearn.base import clone

from faast.evaluation.baselines import BASELINES


def accuracy(model, problem):
    return np.mean(model.predict(problem.queries) == problem.answers)


def test_learns_a_separable_problem(build, problem):
    model = build(problem).fit(problem.X, problem.y)
    assert accuracy(model, problem) >= 0.95
    assert model.score(problem.queries, problem.answers) == accuracy(model, problem)


def test_gives_back_the_labels_it_was_given(build, problem):
    model = build(problem).fit(problem.X, problem.y)
    assert model.classes_.tolist() == ["crane", "egret", "heron", "stork"]
    assert model.predict(problem.queries).dtype == problem.y.dtype


def test_integer_labels_need_not_start_at_zero(build, problem):
    number = {"heron": 7, "crane": -2, "egret": 30, "stork": 4}
    y = np.array([number[label] for label in problem.y.tolist()])
    embeddings = {number[label]: row for label, row in problem.class_embeddings.items()}
    model = build(problem._replace(class_embeddings=embeddings)).fit(problem.X, y)
    assert model.classes_.tolist() == [-2, 4, 7, 30]
    words = build(problem).fit(problem.X, problem.y)
    expected = [number[label] for label in words.predict(problem.queries).tolist()]
    assert np.mean(model.predict(problem.queries) == expected) >= 0.95


def test_scores_probabilities_and_predictions_agree(build, problem):
    model = build(problem).fit(problem.X, problem.y)
    scores = model.decision_function(problem.queries)
    assert scores.shape == (len(problem.queries), 4)
    predicted = model.predict(problem.queries)
    np.testing.assert_array_equal(model.classes_[scores.argmax(axis=1)], predicted)
    if hasattr(model, "predict_proba"):
        probabilities = model.predict_proba(problem.queries)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        np.testing.assert_array_equal(model.classes_[probabilities.argmax(axis=1)], predicted)


def test_two_classes_still_have_two_columns(build, problem):
    two = np.isin(problem.y, ["heron", "crane"])
    model = build(problem).fit(problem.X[two], problem.y[two])
    asked = np.isin(problem.answers, ["heron", "crane"])
    assert model.decision_function(problem.queries).shape == (100, 2)
    assert model.score(problem.queries[asked], problem.answers[asked]) >= 0.95


def test_class_embeddings_change_the_answer(build, takes_prior, draw):
    if not takes_prior:
        pytest.skip("takes no class embeddings")
    problem = draw(shots=1, noise=0.4)
    swapped = dict(
        zip(problem.class_embeddings, reversed(problem.class_embeddings.values()), strict=True)
    )
    informed = build(problem).fit(problem.X, problem.y)
    misled = build(problem, class_embeddings=swapped).fit(problem.X, problem.y)
    assert accuracy(informed, problem) > accuracy(misled, problem)


def test_learns_without_class_embeddings(name, build, takes_prior, problem):
    if not takes_prior or name == "zero-shot":
        pytest.skip("takes no class embeddings, or is nothing without them")
    model = build(problem, class_embeddings=None).fit(problem.X, problem.y)
    assert accuracy(model, problem) >= 0.95


@pytest.mark.parametrize("prior", [True, False])
def test_one_row_a_class_is_enough(name, build, takes_prior, prior, draw):
    if not prior and (not takes_prior or name == "zero-shot"):
        pytest.skip("takes no class embeddings, or is nothing without them")
    problem = draw(shots=1)
    parameters = {} if prior else {"class_embeddings": None}
    model = build(problem, **parameters).fit(problem.X, problem.y)
    assert accuracy(model, problem) >= 0.9


def test_a_class_of_one_row_beside_larger_ones(build, problem):
    kept = np.r_[np.flatnonzero(problem.y != "egret"), np.flatnonzero(problem.y == "egret")[:1]]
    model = build(problem).fit(problem.X[kept], problem.y[kept])
    assert accuracy(model, problem) >= 0.7


def test_fits_alike_and_leaves_global_random_state_alone(build, problem):
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    scores = build(problem).fit(problem.X, problem.y).decision_function(problem.queries)
    again = build(problem).fit(problem.X, problem.y).decision_function(problem.queries)
    np.testing.assert_array_equal(scores, again)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert random.getstate() == before[1]


def test_input_is_not_changed(build, problem):
    X, y = problem.X.copy(), problem.y.copy()
    X.setflags(write=False)
    build(problem).fit(X, y).predict(X)
    np.testing.assert_array_equal(X, problem.X)
    np.testing.assert_array_equal(y, problem.y)


def test_float32_rows_predict_the_same(build, problem):
    model = build(problem).fit(problem.X.astype(np.float32), problem.y)
    assert accuracy(model, problem) >= 0.95


def test_refit_forgets_and_clone_is_unfitted(build, problem):
    model = build(problem).fit(problem.X, problem.y)
    two = np.isin(problem.y, ["heron", "crane"])
    assert model.fit(problem.X[two], problem.y[two]).classes_.tolist() == ["crane", "heron"]
    assert not hasattr(clone(model), "classes_")


def test_stored_bytes_count_at_least_one_number(build, problem):
    assert build(problem).fit(problem.X, problem.y).stored_bytes_ >= 8


def test_only_memories_that_keep_rows_grow_with_them(name, build, draw):
    small, large = (
        build(problem).fit(problem.X, problem.y).stored_bytes_
        for problem in (draw(shots=4), draw(shots=40))
    )
    assert (large > small) == (name in {"k-nn", "softmax-memory", "tip-adapter", "kernel-svm"})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X, y: (np.vstack([X[1:], np.full_like(X[:1], np.nan)]), y), "NaN"),
        (lambda X, y: (np.vstack([X[1:], np.full_like(X[:1], np.inf)]), y), "infinity"),
        (lambda X, y: (X[:-1], y), "inconsistent numbers of samples"),
        (lambda X, y: (X[0], y), "Expected 2D array"),
        (lambda X, y: (X[:0], y[:0]), "minimum of 1 is required"),
        (lambda X, y: (X, np.linspace(0, 1, len(y))), "Unknown label type"),
        (lambda X, y: (X, np.full(len(y), "heron")), "one class, 'heron'"),
    ],
    ids=["nan", "inf", "lengths", "flat", "empty", "continuous", "one-class"],
)
def test_spoilt_support_is_refused_with_the_reason(build, problem, spoil, message):
    with pytest.raises(ValueError, match=message):
        build(problem).fit(*spoil(problem.X, problem.y))


def test_spoilt_queries_are_refused_with_the_reason(build, problem):
    model = build(problem)
    with pytest.raises(ValueError, match="not fitted yet"):
        model.predict(problem.queries)
    model.fit(problem.X, problem.y)
    with pytest.raises(ValueError, match="expecting 24 features"):
        model.predict(problem.queries[:, 1:])
    with pytest.raises(ValueError, match="NaN"):
        model.predict(np.full((1, 24), np.nan))


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (None, "no vector for 'egret'"),
        (np.ones(5), "has shape \\(5,\\); expected \\(24,\\)"),
        (np.full(24, np.nan), "must be finite"),
        (np.zeros(24), "not zero"),
    ],
    ids=["missing", "width", "nan", "zero"],
)
def test_spoilt_class_embeddings_are_refused(build, takes_prior, problem, vector, message):
    if not takes_prior:
        pytest.skip("takes no class embeddings")
    embeddings = {k: v for k, v in problem.class_embeddings.items() if k != "egret"}
    if vector is not None:
        embeddings["egret"] = vector
    with pytest.raises(ValueError, match=message):
        build(problem, class_embeddings=embeddings).fit(problem.X, problem.y)


def test_rows_of_class_embeddings_without_labels_are_refused(build, takes_prior, problem):
    if not takes_prior:
        pytest.skip("takes no class embeddings")
    with pytest.raises(TypeError, match=r"must be \{label: vector\}, got ndarray"):
        build(problem, class_embeddings=np.eye(4, 24)).fit(problem.X, problem.y)


def test_zero_shot_refuses_to_do_without_embeddings(problem):
    with pytest.raises(ValueError, match="needs class_embeddings"):
        BASELINES["zero-shot"]().fit(problem.X, problem.y)
