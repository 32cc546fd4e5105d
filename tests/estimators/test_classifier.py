import numpy as np
import pytest
from sklearn.datasets import load_digits

from faast import Discriminant, FaastClassifier, PseudoInverse, Ridge
from faast.core.persistence import content_hash


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    return images[:1200], labels[:1200], images[1200:], labels[1200:]


@pytest.mark.parametrize(
    ("solver", "accuracy"),
    [("auto", 0.90), (Ridge(), 0.88), (Discriminant(), 0.90), (PseudoInverse(alpha=0.8), 0.80)],
)
def test_digits_are_learned(digits, solver, accuracy):
    rows, labels, queries, answers = digits
    model = FaastClassifier(solver).fit(rows, labels)
    assert model.score(queries, answers) >= accuracy
    probabilities = model.predict_proba(queries)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert np.array_equal(model.classes_[probabilities.argmax(axis=1)], model.predict(queries))


def test_probabilities_mean_what_they_say(digits):
    rows, labels, queries, answers = digits
    model = FaastClassifier().fit(rows, labels)
    probabilities = model.predict_proba(queries)
    confidence, correct = probabilities.max(axis=1), model.predict(queries) == answers
    assert abs(confidence.mean() - correct.mean()) < 0.05


def test_string_labels_grow_and_come_back_as_given(digits):
    rows, labels, *_ = digits
    names = np.array(["zero", "one", "two", "three"])[labels % 4]
    model = FaastClassifier().fit(rows[:300], names[:300])
    model.partial_fit(rows[300:310], ["a much longer name"] * 10)
    assert model.classes_.tolist() == sorted(["zero", "one", "two", "three", "a much longer name"])
    assert set(model.predict(rows)) <= set(model.classes_)


def test_labels_of_mixed_kinds_and_tuples_are_kept_apart():
    model = FaastClassifier().fit(np.eye(3), [1, "1", 2])
    assert model.predict(np.eye(3)).tolist() == [1, "1", 2]
    model = FaastClassifier().fit(np.eye(3), [("a", 1), ("b", 2), ("a", 2)])
    assert model.predict(np.eye(3)).tolist() == [("a", 1), ("b", 2), ("a", 2)]


def test_a_class_disappears_with_its_last_row(digits):
    rows, labels, *_ = digits
    model = FaastClassifier().fit(rows, labels)
    gone = labels == 3
    model.forget(rows[gone], labels[gone])
    assert model.classes_.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert 3 not in model.predict(rows)
    with pytest.raises(ValueError, match=r"class .*3.* was never learned"):
        model.forget(rows[gone], labels[gone])


def test_everything_can_be_forgotten_and_learned_again(digits):
    rows, labels, *_ = digits
    model = FaastClassifier().fit(rows[:50], labels[:50]).forget(rows[:50], labels[:50])
    assert model.n_rows_ == 0
    with pytest.raises(ValueError, match="nothing has been learned"):
        model.predict(rows)
    model.partial_fit(rows[50:90], labels[50:90])
    fresh = FaastClassifier().fit(rows[50:90], labels[50:90])
    assert np.array_equal(model.decision_function(rows), fresh.decision_function(rows))


def test_one_class_only_and_empty_batches():
    model = FaastClassifier().fit(np.eye(3), ["only"] * 3)
    model.partial_fit(np.empty((0, 3)), [])
    assert model.predict(np.eye(3)).tolist() == ["only"] * 3
    assert model.predict(np.empty((0, 3))).shape == (0,)
    assert model.predict_proba(np.eye(3)).tolist() == [[1.0]] * 3


@pytest.mark.parametrize("solver", [Ridge(), Discriminant(), PseudoInverse(alpha=0.8), "auto"])
def test_class_weights_multiply_sample_weights(digits, solver):
    rows, labels, *_ = digits
    weighted = FaastClassifier(solver, class_weight={1: 3, 8: 2}).fit(rows[:200], labels[:200])
    copies = np.where(labels[:200] == 1, 3, np.where(labels[:200] == 8, 2, 1))
    repeated = FaastClassifier(solver).fit(rows[:200], labels[:200], sample_weight=copies)
    assert np.array_equal(weighted.decision_function(rows), repeated.decision_function(rows))


def test_rows_of_weight_zero_were_never_there(digits):
    rows, labels, *_ = digits
    weights = np.ones(100)
    weights[40:] = 0
    ignored = FaastClassifier().fit(rows[:100], labels[:100], weights)
    absent = FaastClassifier().fit(rows[:40], labels[:40])
    assert np.array_equal(ignored.decision_function(rows), absent.decision_function(rows))


def test_indicator_matrices_are_learned_column_by_column(digits):
    rows, labels, queries, answers = digits

    def columns(of):
        return np.stack([of % 2, of > 4, of == 8], axis=1).astype(int)

    model = FaastClassifier().fit(rows, columns(labels))
    predicted = model.predict(queries)
    assert predicted.shape == (len(queries), 3)
    assert (predicted == columns(answers)).mean() > 0.85
    assert np.array_equal(model.decision_function(queries) > 0, predicted == 1)
    model.forget(rows[:10], columns(labels)[:10])
    with pytest.raises(ValueError, match="learned an indicator matrix, got one label per row"):
        model.partial_fit(rows, labels)


def test_merged_models_know_the_classes_of_both(digits):
    rows, labels, queries, _ = digits
    low, high = labels < 5, labels >= 5
    merged = FaastClassifier().fit(rows[low], labels[low])
    merged.merge(FaastClassifier().fit(rows[high], labels[high]))
    together = FaastClassifier().fit(rows, labels)
    assert np.array_equal(merged.decision_function(queries), together.decision_function(queries))


def test_merging_takes_nothing_from_the_other(digits):
    rows, labels, *_ = digits
    other = FaastClassifier().fit(rows[:100], labels[:100] + 20)
    before = other.learned_.statistics.moments.copy()
    FaastClassifier().fit(rows, labels).merge(other).partial_fit(rows, labels)
    assert other.learned_.statistics.moments == before
    assert other.classes_.min() == 20


def test_past_the_kept_rows_moments_stay_exact(digits):
    rows, labels, queries, _ = digits
    order = np.random.default_rng(3).permutation(len(rows))
    model = FaastClassifier(selection_rows=100).fit(rows, labels)
    shuffled = FaastClassifier(selection_rows=100)
    for part in np.array_split(order, 9):
        shuffled.partial_fit(rows[part], labels[part])
    assert model.learned_.statistics.moments == shuffled.learned_.statistics.moments
    assert not model.learned_.statistics.rows.complete
    assert np.array_equal(model.decision_function(queries), shuffled.decision_function(queries))


def test_data_frames_bring_names_that_are_checked(digits):
    pandas = pytest.importorskip("pandas", reason="data frames need pandas")
    frame = pandas.DataFrame(digits[0][:50], columns=[f"pixel{i}" for i in range(64)])
    model = FaastClassifier().fit(frame, digits[1][:50])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"pixel0": "other"}))


def test_no_global_random_state_is_touched(digits):
    np.random.seed(7)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    FaastClassifier().fit(digits[0], digits[1]).predict_proba(digits[2])
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_renamed_classes_keep_their_rows(digits):
    rows, labels, queries, _ = digits
    model = FaastClassifier().fit(rows, labels)
    expected = model.predict_proba(queries)
    names = {digit: f"digit {digit}" for digit in range(10)}
    model.rename_classes(names)
    assert model.classes_.tolist() == list(names.values())
    np.testing.assert_array_equal(model.predict_proba(queries), expected)
    model.forget(rows[:1], [names[int(labels[0])]])
    assert model.n_rows_ == len(rows) - 1


def test_two_classes_cannot_get_the_same_name():
    model = FaastClassifier().fit([[0.0, 1.0], [1.0, 0.0]], ["a", "b"])
    with pytest.raises(ValueError, match="two classes would get the same label"):
        model.rename_classes({"a": "b"})
    assert model.classes_.tolist() == ["a", "b"]
    columns = FaastClassifier().fit([[0.0, 1.0], [1.0, 0.0]], [[1, 0], [0, 1]])
    with pytest.raises(ValueError, match="indicator matrix cannot be changed"):
        columns.rename_classes({0: "a"})


def test_a_merged_model_has_the_names_of_either(rng):
    pandas = pytest.importorskip("pandas")
    X, y = rng.uniform(-0.5, 0.5, (40, 3)), np.arange(40) % 2
    table = pandas.DataFrame(X, columns=list("abc"))
    one = FaastClassifier().fit(X[:20], y[:20]).merge(FaastClassifier().fit(table[20:], y[20:]))
    other = FaastClassifier().fit(table[20:], y[20:]).merge(FaastClassifier().fit(X[:20], y[:20]))
    assert one.feature_names_in_.tolist() == ["a", "b", "c"]
    one, other = one.to_state(), other.to_state()
    assert content_hash(one.tensors, one.metadata) == content_hash(other.tensors, other.metadata)
