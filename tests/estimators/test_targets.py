"""What stands for several labels a row, what is refused, and what changes nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import faast
from faast import FaastClassifier, FaastRegressor, NaturalGradientClassifier, TextClassifier
from faast.core.persistence import content_hash
from faast.estimators.targets import TargetKind, as_targets

SETS = [["red", "blue"], ["red"], [], ["blue"]]
MARKS = [[1, 1], [0, 1], [0, 0], [1, 0]]

GIVEN = {
    "lists": SETS,
    "sets": [set(labels) for labels in SETS],
    "frozen sets, repeated labels": [frozenset(SETS[0]), ["red", "red"], [], {"blue"}],
    "an array of lists": np.array([*SETS, None], dtype=object)[:4],
    "arrays": [np.array(labels, dtype=object) for labels in SETS],
}


@pytest.mark.parametrize("name", GIVEN)
def test_lists_and_sets_are_several_labels(name):
    targets = as_targets(GIVEN[name])
    assert targets.kind is TargetKind.LABELS
    assert targets.labels.tolist() == ["blue", "red"]
    assert targets.marks.tolist() == MARKS


def test_a_series_of_lists_is_several_labels():
    pandas = pytest.importorskip("pandas")
    assert as_targets(pandas.Series(SETS)).marks.tolist() == MARKS


def test_lists_of_one_label_are_lists_and_tuples_are_labels():
    assert as_targets([["a"], ["b"]]).kind is TargetKind.LABELS
    assert as_targets([("a", "b"), ("b", "a")]).labels.tolist() == [("a", "b"), ("b", "a")]
    assert as_targets([[("a", 1)], []]).labels.tolist() == [("a", 1)]


def test_an_indicator_may_be_lists_sparse_or_a_frame_with_names():
    pandas = pytest.importorskip("pandas")
    for form in (MARKS, np.array(MARKS, dtype=bool), csr_array(np.array(MARKS))):
        targets = as_targets(form)
        assert targets.kind is TargetKind.INDICATOR
        assert targets.labels.tolist() == [0, 1]
        assert targets.marks.tolist() == MARKS
    frame = pandas.DataFrame(MARKS, columns=["red", "blue"])  # the order is kept
    assert as_targets(frame).labels.tolist() == ["red", "blue"]


def test_lists_of_0_and_1_are_labels_where_labels_were_learned():
    assert as_targets(MARKS, TargetKind.LABELS).labels.tolist() == [0, 1]
    assert as_targets([{0, 1}, {1, 0}]).kind is TargetKind.LABELS
    assert as_targets([], TargetKind.LABELS).kind is TargetKind.LABELS
    model = FaastClassifier().fit(np.eye(3), [[5], [6, 5], []])
    model.partial_fit(np.eye(3)[:2] / 2, [[0, 1], [1, 0]]).partial_fit(np.zeros((0, 3)), [])
    assert model.classes_.tolist() == [0, 1, 5, 6]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([["a"], "b"], "row 1 of y is 'b', but other rows are lists"),
        ([["a"], None], r"row 1 of y is None.*\[\] where it has no label"),
        ([["a"], ["b", None]], "label of row 1 is missing"),
        ([["a"], [], [0.5, 0.25]], r"continuous \(label of row 2 is 0\.5\)"),
        ([[0.5], [1.5]], r"continuous \(label of row 0 is 0\.5\)"),
        ([["a"], [["b"]]], "row 1 is \\['b'\\] of type list"),
        (np.array([[0, 1], [1, 2]]), "row 1 of y holds 2 in column 1; .* multi-label indicator"),
        (np.array([[0, 1], [1, np.nan]]), "row 1 of y holds nan"),
        (np.array([["a", "b"], ["b", "c"]]), "row 0 of y holds a .* lists of labels"),
    ],
)
def test_what_is_no_target_is_refused_by_row(y, message):
    with pytest.raises(ValueError, match=message):
        FaastClassifier().fit(np.eye(len(y)), y)


def test_predictions_have_the_form_of_the_targets():
    texts = ["red apple", "red car", "blue car", "green tree", "blue sky", "red rose"] * 4
    labels = [[word for word in ("red", "blue", "car") if word in text] for text in texts]
    model = TextClassifier().fit(texts, labels)
    assert model.predict(texts[:4]) == [sorted(row) for row in labels[:4]]
    assert model.predict_proba(texts).shape == (24, 3)
    marks = as_targets(labels).marks
    indicator = TextClassifier().fit(texts, marks)
    assert np.array_equal(indicator.predict(texts), marks)
    assert np.array_equal(indicator.decision_function(texts), model.decision_function(texts))
    assert model.score(texts, labels) == indicator.score(texts, marks) == 1.0
    assert model.score(texts[:2], [["red"], ["red", "new"]]) == 0.5


def test_labels_that_become_one_are_had_by_rows_of_either():
    targets = as_targets([["a"], ["b"], ["a", "b"], []]).relabel({"a": "b"})
    assert targets.labels.tolist() == ["b"]
    assert targets.marks.tolist() == [[1], [1], [1], [0]]


def test_columns_of_a_frame_are_matched_by_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(MARKS, columns=["red", "blue"])
    X = np.eye(4)
    model = FaastClassifier().fit(X, frame)
    assert model.classes_.tolist() == ["red", "blue"]
    twin = FaastClassifier().fit(X[:2], frame[:2]).partial_fit(X[2:], frame[["blue", "red"]][2:])
    assert np.array_equal(twin.decision_function(X), model.decision_function(X))
    by_place = FaastClassifier().fit(X[:2], frame[:2]).partial_fit(X[2:], np.array(MARKS)[2:])
    assert np.array_equal(by_place.decision_function(X), model.decision_function(X))
    with pytest.raises(
        ValueError, match="must have the same columns: 'red', 'blue' and 'red', 'x'"
    ):
        model.partial_fit(X, frame.rename(columns={"blue": "x"}))


def test_columns_of_one_name_are_refused():
    pandas = pytest.importorskip("pandas")
    frame, X = pandas.DataFrame(MARKS, columns=["red", "blue"]), np.eye(4)
    twice = pandas.DataFrame(MARKS, columns=["red", "red"])
    message = "y has several columns named 'red'; give every column a name of its own"
    for model in (FaastClassifier(), FaastRegressor()):
        with pytest.raises(ValueError, match=message):
            model.fit(X, twice)
        model.fit(X, frame)
        with pytest.raises(ValueError, match=message):
            model.partial_fit(X, twice)


def test_kinds_of_targets_do_not_mix_and_nothing_changes():
    X = np.eye(4)
    single, several, matrix = (
        FaastClassifier().fit(X, y) for y in (["a", "b", "a", "b"], SETS, np.array(MARKS))
    )
    for model, y, message in (
        (single, SETS, "learned one label per row, got a list of labels per row"),
        (several, ["a", "b", "a", "b"], "learned a list of labels per row, got one label"),
        (several, np.array(MARKS), "got an indicator matrix"),
        (matrix, SETS, "learned an indicator matrix, got a list of labels per row"),
    ):
        before = content_hash(*model.to_state())
        for change in (model.partial_fit, model.forget):
            with pytest.raises(ValueError, match=message):
                change(X, y)
        assert content_hash(*model.to_state()) == before
    with pytest.raises(ValueError, match="cannot merge a classifier that learned a list of labels"):
        several.merge(single)
    with pytest.raises(ValueError, match="one label per row, got a list of labels per row"):
        NaturalGradientClassifier().fit(X, SETS)


@pytest.mark.parametrize(
    "settings",
    [
        {"novelty": True},
        {"labels": ["a"], "encoder": "hashing"},
        {"class_embeddings": {"red": np.ones(4)}},
        {"class_weight": "balanced"},
        {"class_weight": {"red": 2.0}},
    ],
)
def test_settings_of_single_labels_are_refused(settings):
    rows = ["a", "b", "c", "d"] if "encoder" in settings else np.eye(4)
    with pytest.raises(ValueError, match=r"has no meaning"):
        FaastClassifier(**settings).fit(rows, SETS)


def test_rows_without_any_label_wait_for_the_first_one(rng):
    X = rng.uniform(-0.5, 0.5, (12, 3))
    model = FaastClassifier().fit(X[:6], [[]] * 6)
    with pytest.raises(ValueError, match="no row that was learned has a label"):
        model.predict(X)
    model.partial_fit(X[6:], [["a"]] * 6)
    together = FaastClassifier().fit(X, [[]] * 6 + [["a"]] * 6)
    assert content_hash(*model.to_state()) == content_hash(*together.to_state())
    model.forget(X[6:], [["a"]] * 6)
    assert model.classes_.tolist() == []
    assert model.n_rows_ == 6


@st.composite
def several(draw):
    n = draw(st.integers(6, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = rng.standard_normal((n, 3))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[n // 2] = rows[0]
    labels = [[f"l{i}" for i in np.flatnonzero(rng.random(4) < 0.35)] for _ in range(n)]
    labels[0] = ["l0"]
    order = np.array(draw(st.permutations(range(n))))
    cuts = sorted(draw(st.lists(st.integers(1, n - 1), max_size=4)))
    return rows, labels, [part.tolist() for part in np.split(order, cuts) if len(part)]


@settings(deadline=None)
@given(several(), st.booleans(), st.sampled_from([4, 100]))
def test_order_batches_merge_forget_and_save_change_nothing(tmp_path_factory, drawn, merging, held):
    rows, labels, parts = drawn

    def fit(part):
        return FaastClassifier(selection_rows=held).fit(rows[part], [labels[i] for i in part])

    model, extra = fit(parts[0]), np.array([[1.0, 2.0, 2.0]]) / 3
    model.partial_fit(extra, [["extra", "l1"]])
    for part in parts[1:]:
        if merging:
            model.merge(fit(part))
        else:
            model.partial_fit(rows[part], [labels[i] for i in part])
    path = tmp_path_factory.mktemp("several") / "model"
    model.save(path)
    model = faast.load(path).forget(extra, [{"l1", "extra"}])
    fresh = fit(list(range(len(rows))))
    assert model.classes_.tolist() == fresh.classes_.tolist()
    assert model.statistics_.moments == fresh.statistics_.moments
    if model.is_exact_:
        assert content_hash(*model.to_state()) == content_hash(*fresh.to_state())
        assert np.array_equal(model.predict_proba(rows), fresh.predict_proba(rows))


@pytest.mark.parametrize("together", [True, False])
def test_rows_of_weight_0_bring_no_class(together):
    X, y = np.arange(24.0).reshape(6, 4) % 7, np.array([0, 0, 1, 1, 5, 5])
    batches = [slice(0, 6)] if together else [slice(0, 4), slice(4, 6)]
    weighted = FaastClassifier(class_weight={0: 1.0, 1: 1.0, 5: 0.0})
    given = FaastClassifier()
    for batch in batches:
        weighted.partial_fit(X[batch], y[batch])
        given.partial_fit(X[batch], y[batch], sample_weight=(y[batch] != 5).astype(float))
    seen = FaastClassifier().partial_fit(X[:4], y[:4])
    assert weighted.classes_.tolist() == given.classes_.tolist() == seen.classes_.tolist()
    assert np.array_equal(weighted.predict_proba(X), seen.predict_proba(X))


def test_masked_arrays_without_masked_entries_are_arrays():
    marks = np.ma.masked_array(np.eye(3, 2, dtype=int))
    assert as_targets(marks).kind is TargetKind.INDICATOR
    assert as_targets(np.ma.masked_array([3, 4])).labels.tolist() == [3, 4]
    marks[1, 1] = np.ma.masked
    with pytest.raises(ValueError, match="label of row 1 is masked"):
        as_targets(marks)
