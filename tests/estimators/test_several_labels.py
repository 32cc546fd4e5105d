"""Several labels a row: probabilities, thresholds, and what agrees with them."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.datasets import load_digits
from sklearn.metrics import f1_score

import faast
from faast import FaastClassifier, Ridge, TextClassifier
from faast.core.persistence import content_hash
from faast.estimators.targets import as_targets
from faast.solvers.several import choose_thresholds

NAMES = {0: "even", 1: "large", 2: "round"}


def properties(digits):
    """Return which of three properties each digit has."""
    marks = np.stack([digits % 2 == 0, digits > 6, np.isin(digits, [0, 6, 8, 9])], axis=1)
    return [[NAMES[place] for place in np.flatnonzero(row)] for row in marks]


def fingerprint(model):
    state = model.to_state()
    return content_hash(state.tensors, state.metadata)


@pytest.fixture(scope="module")
def digits():
    rows, labels = load_digits(return_X_y=True)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    sets = properties(labels)
    return rows[:700], sets[:700], rows[700:], sets[700:]


@pytest.fixture(scope="module")
def model(digits):
    return FaastClassifier().fit(digits[0], digits[1])


def test_answers_and_probabilities_of_new_rows_are_good(model, digits):
    _, _, rows, sets = digits
    true, probabilities = as_targets(sets).among(model.classes_), model.predict_proba(rows)
    predicted = as_targets(model.predict(rows)).among(model.classes_)
    assert f1_score(true, predicted, average="macro") > 0.85
    assert np.abs(probabilities.mean(axis=0) - true.mean(axis=0)).max() < 0.05
    sure = probabilities > 0.8
    assert abs(true[sure].mean() - probabilities[sure].mean()) < 0.06
    assert model.score(rows, sets) == np.mean(
        [a == b for a, b in zip(model.predict(rows), sets, strict=True)]
    )


def test_a_rare_label_is_answered_below_one_half(digits):
    rows, queries = digits[0][:, 24:40], digits[2][:, 24:40]
    labels = load_digits().target
    marks = np.stack([labels == 8, labels < 5], axis=1).astype(int)
    model = FaastClassifier(Ridge()).fit(rows[:200], marks[:200])
    thresholds = expit(model._head().thresholds)
    assert np.all(thresholds < 0.5)
    found = f1_score(marks[700:, 0], model.predict(queries)[:, 0])
    assert found > f1_score(marks[700:, 0], model.predict_proba(queries)[:, 0] > 0.5)


def test_a_threshold_is_half_of_the_f1_that_it_reaches(rng):
    from faast.core.sample import RowArrays

    p = rng.uniform(0.001, 0.999, (2000, 1)) ** 3
    rows = RowArrays(np.zeros((2000, 1)), (rng.random((2000, 1)) < p).astype(float), np.ones(2000))
    threshold = expit(choose_thresholds(np.log(p / (1 - p)), rows))
    f1 = {t: f1_score(rows.values, p > t) for t in np.linspace(0.05, 0.6, 56)}
    assert threshold[0] == pytest.approx(max(f1.values()) / 2, abs=0.03)
    assert f1_score(rows.values, p > threshold) > max(f1.values()) - 0.01


@pytest.mark.parametrize(
    "labels",
    [[["a"], []], [["a"], ["a"]], [["a", "b"], ["b"], []], [["a"], ["b"], ["c"], ["d"]]],
)
@pytest.mark.parametrize("solver", ["auto", Ridge(1e-3)])
def test_few_rows_give_finite_probabilities(labels, solver):
    X = np.eye(4)[: len(labels)]
    for settings in ({}, {"selection_rows": 0}):
        model = FaastClassifier(solver, **settings).fit(X, labels)
        probabilities = model.predict_proba(np.eye(4))
        assert np.all((probabilities > 1e-3) & (probabilities < 1 - 1e-3))


def test_a_single_row_is_learned():
    model = FaastClassifier().fit(np.eye(3)[:1], [["a", "b"]])
    assert model.predict(np.eye(3)[:1]) == [["a", "b"]]


def test_the_pipeline_and_the_graph_agree(model, digits, tmp_path):
    rows = digits[2]
    pipeline = model.to_pipeline()
    assert pipeline.predict(rows) == model.predict(rows)
    np.testing.assert_allclose(pipeline.predict_proba(rows), model.predict_proba(rows), atol=1e-12)
    marks = as_targets(digits[1]).marks
    matrix = FaastClassifier().fit(digits[0], marks)
    assert np.array_equal(matrix.to_pipeline().predict(rows), matrix.predict(rows))
    runtime = pytest.importorskip("onnxruntime")
    model.to_onnx(tmp_path / "model.onnx")
    session = runtime.InferenceSession(tmp_path / "model.onnx")
    rows = rows.astype(np.float32)
    answered, probabilities = session.run(None, {"features": rows})
    assert [model.classes_[row == 1].tolist() for row in answered] == model.predict(rows)
    np.testing.assert_allclose(probabilities, model.predict_proba(rows), atol=1e-6)


def test_left_out_scores_of_random_labels_foresee_nothing(rng):
    X = rng.standard_normal((200, 80))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    marks = rng.random((200, 3)) < 0.4
    model = FaastClassifier().fit(X, marks.astype(int))
    found = model._head().loo_scores
    values = model.statistics_.sampled_rows().values
    agreement = [np.corrcoef(found[:, i], values[:, i])[0, 1] for i in range(3)]
    assert max(agreement) < 0.1
    learned = model.decision_function(X)
    assert min(np.corrcoef(learned[:, i], marks[:, i])[0, 1] for i in range(3)) > 0.3


def test_a_row_is_explained_by_all_its_labels(model, digits):
    found = model.explain(digits[2][3])
    assert list(found.label) == model.predict(digits[2][3:4])[0]
    assert set(found.scores) == set(NAMES.values())


def test_what_needs_single_labels_says_so(model, digits):
    for ask in (model.predict_set, model.novelty_score):
        with pytest.raises(ValueError, match="one label"):
            ask(digits[2])
    with pytest.raises(ValueError, match="single labels"):
        model.suspects(*digits[:2])
    for change in (
        lambda m: m.merge_classes(["even"], "large"),
        lambda m: m.split_class("even", digits[0][:1], ["x"]),
    ):
        with pytest.raises(ValueError, match="where rows have one label each"):
            change(model)


def test_classes_are_renamed_and_have_aliases(digits):
    rows, sets, queries, _ = digits
    model = FaastClassifier().fit(rows[:200], sets[:200])
    expected = model.predict_proba(queries)
    model.rename_classes({"even": "pair"}).alias_classes({"even": "pair"})
    assert model.classes_.tolist() == ["large", "pair", "round"]
    assert np.array_equal(model.predict_proba(queries), expected[:, [1, 0, 2]])
    model.partial_fit(rows[200:300], sets[200:300])
    renamed = [["pair" if label == "even" else label for label in row] for row in sets[:300]]
    fresh = FaastClassifier().fit(rows[:300], renamed)
    assert np.array_equal(model.predict_proba(queries), fresh.predict_proba(queries))


def test_texts_are_learned_and_forgotten_exactly():
    texts = ["red apple", "red car", "blue car", "green tree", "blue sky", "a red rose"]
    labels = [{"red", "food"}, {"red", "car"}, {"blue", "car"}, set(), ["blue"], ["red"]]
    model = TextClassifier().fit(texts, labels).partial_fit(["new sea"], [{"blue", "water"}])
    model.forget(["new sea"], [{"water", "blue"}])
    assert model.classes_.tolist() == ["blue", "car", "food", "red"]
    fresh = TextClassifier().fit(texts, labels)
    assert np.array_equal(model.predict_proba(texts), fresh.predict_proba(texts))
    with pytest.raises(ValueError, match="row 1: class 'sea' was never learned"):
        model.forget(texts[:2], [labels[0], ["sea"]])


def test_rows_without_any_label_can_be_saved(tmp_path):
    FaastClassifier().fit(np.eye(2), [[], []]).save(tmp_path / "model")
    assert faast.load(tmp_path / "model").classes_.tolist() == []


@pytest.mark.parametrize("label", ["a", 7, True, ("a", 1)])
def test_a_model_that_forgets_its_last_label_equals_one_that_never_had_it(label):
    X = np.eye(3)
    left = FaastClassifier().fit(X, [[], [], [label]]).forget(X[2:], [[label]])
    fresh = FaastClassifier().fit(X[:2], [[], []])
    assert left.classes_.dtype == fresh.classes_.dtype == np.int64
    assert fingerprint(left) == fingerprint(fresh)
