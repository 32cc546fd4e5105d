"""Wrong labels are found among learned rows, counted, and corrected exactly."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import faast
from faast import Discriminant, FaastClassifier, PseudoInverse, Ridge, TextClassifier
from faast.core.sample import RowArrays
from faast.estimators.label_noise import LabelNoise
from tests.strategies import orders_and_cuts, problems


def digits():
    rows, labels = load_digits(return_X_y=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), labels


def spoil(labels, share, seed=0):
    """Labels of which a share is another class, and which those are."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(labels)) < share
    return np.where(wrong, (labels + rng.integers(1, 10, len(labels))) % 10, labels), wrong


@pytest.fixture(scope="module")
def spoilt():
    rows, labels = digits()
    return rows, labels, *spoil(labels, 0.1)


def equal_states(one, other):
    mine, theirs = one.learned_.to_state(), other.learned_.to_state()
    return mine.metadata == theirs.metadata and all(
        np.array_equal(tensor, theirs.tensors[name]) for name, tensor in mine.tensors.items()
    )


# -- leaving rows out ----------------------------------------------------------------------------


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize(
    "solver", ["auto", Discriminant(0.3), Ridge(0.1), PseudoInverse(rtol=0.01)], ids=str
)
def test_a_row_that_is_not_sampled_is_left_out_like_one_that_was_forgotten(solver, class_weight):
    rows, labels = digits()
    model = FaastClassifier(solver, class_weight=class_weight, selection_rows=200)
    model.fit(rows[:800], labels[:800])
    left_out = model.loo_proba(rows[:10], labels[:10])
    for row in range(10):
        without = FaastClassifier(solver, class_weight=class_weight, selection_rows=200)
        without.fit(np.delete(rows[:800], row, 0), np.delete(labels[:800], row))
        expected = without.predict_proba(rows[row : row + 1])[0]
        # settings and temperature are chosen anew without the row: the two agree nearly
        np.testing.assert_allclose(left_out[row], expected, atol=0.05)


@pytest.mark.parametrize(
    ("solver", "embeddings"),
    [
        ("auto", False),
        ("auto", True),
        (Ridge(0.1), False),
        (Ridge(0.1), True),
        (Discriminant(0.3), False),
        (Discriminant(0.3), True),
    ],
    ids=str,
)
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_leaving_nothing_out_is_predicting(solver, class_weight, embeddings):
    rows, labels = digits()
    named = dict(enumerate(rows[:10])) if embeddings else None
    model = FaastClassifier(solver, named, class_weight, selection_rows=200).fit(rows, labels)
    keys = np.round(rows[:50] * 2**20) / 2**20
    nothing = RowArrays(keys, np.eye(10)[labels[:50]], np.full(50, 1e-12))
    scores = model._rule().solution(model.learned_).leave_out(nothing)
    expected = model._head().score(keys)
    centred = [part - part.mean(axis=1, keepdims=True) for part in (scores, expected)]
    np.testing.assert_allclose(*centred, atol=2e-4)


@pytest.mark.parametrize("solver", ["auto", Ridge(0.1)], ids=str)
@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_sampled_rows_and_others_agree(solver, class_weight):
    rows, labels = digits()
    few, all_of_them = (
        FaastClassifier(solver, class_weight=class_weight, selection_rows=n).fit(rows, labels)
        for n in (200, 2000)
    )
    difference = np.abs(few.loo_proba(rows, labels) - all_of_them.loo_proba(rows, labels))
    assert difference.mean() < 0.005


def test_one_row_per_class_and_names_of_classes_are_left_out_too():
    rows, labels = digits()
    once = FaastClassifier(selection_rows=5).fit(rows[:10], labels[:10])
    assert np.allclose(once.loo_proba(rows[:10], labels[:10]).sum(axis=1), 1.0)
    named = FaastClassifier(
        Ridge(0.1), class_embeddings=dict(enumerate(rows[:10])), selection_rows=20
    ).fit(rows[:200], labels[:200])
    found = named.loo_proba(rows[:200], labels[:200])
    assert (found.argmax(axis=1) == labels[:200]).mean() > 0.7


def test_a_model_from_a_file_answers_alike(tmp_path, spoilt):
    rows, _, given_labels, _ = spoilt
    model = FaastClassifier().fit(rows, given_labels)
    _ = model.weights_
    model.save(tmp_path / "model")
    loaded = faast.load(tmp_path / "model")
    np.testing.assert_array_equal(
        loaded.loo_proba(rows, given_labels), model.loo_proba(rows, given_labels)
    )
    np.testing.assert_array_equal(model.loo_proba(rows, given_labels), model.loo_proba_)
    np.testing.assert_array_equal(loaded.suspects(rows, given_labels).rows, model.suspects().rows)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_order_and_batches_do_not_matter(data):
    rows, labels = data.draw(problems())
    parts = data.draw(orders_and_cuts(len(rows)))
    model = FaastClassifier(key_scale=1.0).fit(rows, labels)
    pieces = FaastClassifier(key_scale=1.0)
    for part in parts:
        pieces.partial_fit(rows[part], labels[part])
    whole = model.loo_proba(rows, labels)
    for part in parts:
        np.testing.assert_array_equal(pieces.loo_proba(rows[part], labels[part]), whole[part])


# -- suspects ------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.05, 0.2, 0.4])
def test_wrong_labels_are_found_and_counted(share):
    rows, labels = digits()
    given_labels, wrong = spoil(labels, share)
    found = FaastClassifier().fit(rows, given_labels).suspects(rows, given_labels)
    n_wrong = int(wrong.sum())
    assert wrong[found.rows[:n_wrong]].mean() > 0.92
    assert found.n_wrong == pytest.approx(n_wrong, rel=0.15)
    flagged = found.flagged()
    assert (flagged.suggested == labels[flagged.rows]).mean() > 0.95
    assert found.n_flagged == len(flagged.rows)


def test_few_are_suspected_where_labels_are_right():
    rows, labels = digits()
    found = FaastClassifier().fit(rows, labels).suspects(rows, labels)
    assert found.n_wrong < 0.03 * len(rows)
    assert np.all(np.diff(found.doubt) <= 0)
    assert sorted(found.rows) == list(range(len(rows)))


def test_more_rows_than_the_sample_are_ranked_nearly_as_well(spoilt):
    rows, _, given_labels, wrong = spoilt
    found = FaastClassifier(selection_rows=300).fit(rows, given_labels).suspects(rows, given_labels)
    assert wrong[found.rows[: wrong.sum()]].mean() > 0.92
    assert found.n_wrong == pytest.approx(wrong.sum(), rel=0.2)


def test_noise_of_labels_is_estimated_and_taken_out():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 6000)
    noise = np.array([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.1, 0.1, 0.8]])
    labels = np.array([rng.choice(3, p=noise[c]) for c in true])
    sure = np.where(np.eye(3)[true] > 0, 0.98, 0.01)
    found = LabelNoise.from_left_out(sure @ noise, labels, np.ones(6000))
    np.testing.assert_allclose(found.matrix, noise, atol=0.12)
    clean = found.true_class(sure @ noise, labels)
    assert (clean.argmax(axis=1) == true).mean() > 0.95 > (labels == true).mean()
    doubt = 1 - clean[np.arange(6000), labels]
    assert doubt.sum() == pytest.approx((labels != true).sum(), rel=0.3)


def test_one_class_has_no_suspects():
    rows, labels = digits()
    model = FaastClassifier().fit(rows[labels == 3], labels[labels == 3])
    found = model.suspects(rows[labels == 3], labels[labels == 3])
    assert found.n_wrong == found.n_flagged == 0


def test_no_rows_have_no_suspects(spoilt):
    rows, _, given_labels, _ = spoilt
    found = FaastClassifier().fit(rows, given_labels).suspects(rows[:0], given_labels[:0])
    assert len(found.rows) == 0
    assert found.n_wrong == 0


@pytest.mark.parametrize("selection_rows", [4096, 5], ids=["sampled", "not sampled"])
def test_the_only_row_of_a_class_is_not_answered_with_it(selection_rows):
    rows, labels = digits()
    rows, labels = rows[:60], np.append(labels[:59] % 3, 7)
    model = FaastClassifier(Ridge(0.1), selection_rows=selection_rows).fit(rows, labels)
    assert model.loo_proba(rows[59:], labels[59:])[0, 3] == 0.0
    assert model.loo_proba(rows[:59], labels[:59])[:, 3].min() > 0.0
    model.partial_fit(rows[59:], labels[59:])
    assert model.loo_proba(rows[59:], labels[59:])[0, 3] > 0.0


def test_a_class_with_an_embedding_is_known_without_its_only_row():
    rows, labels = digits()
    rows, labels = rows[:60], np.append(labels[:58] % 3, [7, 8])
    model = FaastClassifier(class_embeddings={7: rows[58]}).fit(rows, labels)
    assert model.loo_proba_[58, 3] > 0.0
    assert model.loo_proba_[59, 4] == 0.0


# -- correction ----------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_relabelling_is_learning_the_right_label_at_once(data):
    rows, labels = data.draw(problems())
    n_rows = len(rows)
    capacity = data.draw(st.sampled_from([0, n_rows // 3, 100]))
    chosen = np.array(sorted(data.draw(st.sets(st.integers(0, n_rows - 1), min_size=1))))
    new = np.array(data.draw(st.lists(st.integers(0, 5), min_size=n_rows, max_size=n_rows)))
    settings_ = {"selection_rows": capacity, "key_scale": 1.0}
    model = FaastClassifier(**settings_).fit(rows, labels)
    model.relabel(rows[chosen], labels[chosen], new[chosen])
    corrected = labels.copy()
    corrected[chosen] = new[chosen]
    again = FaastClassifier(**settings_).fit(rows, corrected)
    assert model.classes_.tolist() == again.classes_.tolist()
    if model.is_exact_:
        assert equal_states(model, again)
    else:  # equal rows fell together, and the sample was not full any more
        assert model.statistics_.moments == again.statistics_.moments


def test_rows_that_fall_together_leave_their_places_to_others():
    angles = np.array([4.4, 0.25, 6.1, 4.4, 2.3, 3.9])
    rows = np.column_stack([np.cos(angles), np.sin(angles)])
    labels = np.array([0, 1, 1, 1, 1, 0])
    settings_ = {"selection_rows": 2, "key_scale": 1.0}
    model = FaastClassifier(**settings_).fit(rows, labels)
    model.relabel(rows[:4], labels[:4], np.zeros(4, int))
    again = FaastClassifier(**settings_).fit(rows, np.where(np.arange(6) < 4, 0, labels))
    assert model.is_exact_
    assert equal_states(model, again)


@pytest.mark.parametrize("solver", ["auto", Ridge(0.1)], ids=str)  # rows wait; rows are summed
def test_the_sample_of_many_rows_stays_that_of_a_fit(spoilt, solver):
    rows, labels, given_labels, wrong = spoilt
    model = FaastClassifier(solver, selection_rows=200).fit(rows, given_labels)
    model.relabel(rows[wrong], given_labels[wrong], labels[wrong])
    assert model.is_exact_
    assert equal_states(model, FaastClassifier(solver, selection_rows=200).fit(rows, labels))


def test_suspects_are_corrected_in_one_step():
    rows, labels = digits()
    given_labels, _ = spoil(labels[:1000], 0.3)
    model = FaastClassifier().fit(rows[:1000], given_labels)
    before = model.score(rows[1000:], labels[1000:])
    found = model.suspects(rows[:1000], given_labels).flagged()
    model.relabel(rows[found.rows], found.given, found.suggested)
    assert model.score(rows[1000:], labels[1000:]) > before + 0.01


def test_class_weights_and_new_classes_are_those_of_a_fit(spoilt):
    rows, _, given_labels, _ = spoilt
    weights = {0: 2.0, 1: 3.0}
    model = FaastClassifier(class_weight=weights).fit(rows, given_labels)
    new = given_labels.copy()
    new[given_labels == 4], new[:5] = 11, 0
    model.relabel(rows, given_labels, new)
    assert 4 not in model.classes_.tolist()
    assert 11 in model.classes_.tolist()
    assert equal_states(model, FaastClassifier(class_weight=weights).fit(rows, new))


def test_texts_are_checked_and_relabelled():
    words = {"card": "my card is lost", "cash": "the machine kept my cash", "rate": "exchange rate"}
    texts = [f"{words[label]} {i}" for label in words for i in range(12)]
    labels = [label for label in words for _ in range(12)]
    wrong = [*labels[:-1], "card"]
    model = TextClassifier("hashing").fit(texts, wrong)
    found = model.suspects(texts, wrong)
    assert found.rows[0] == 35
    assert found.suggested[0] == "rate"
    model.relabel([texts[35]], ["card"], ["rate"])
    assert equal_states(model, TextClassifier("hashing").fit(texts, labels))


# -- refusals ------------------------------------------------------------------------------------


def test_what_cannot_be_checked_or_corrected_is_refused(spoilt):
    rows, labels, given_labels, _ = spoilt
    rows, labels = rows[:100], given_labels[:100]
    model = FaastClassifier().fit(rows, labels)
    before = model.learned_
    other = (labels[3] + 1) % 10
    with pytest.raises(ValueError, match=f"row 0 was never learned with the label {other}"):
        model.suspects(rows[3:4], [other])
    with pytest.raises(ValueError, match="row 1 was never learned"):
        model.loo_proba(np.stack([rows[0], rows[1] * 0.5]), labels[:2])
    with pytest.raises(ValueError, match="the same number of rows, got 2 and 3"):
        model.suspects(rows[:2], labels[:3])
    with pytest.raises(ValueError, match="class 99 was never learned"):
        model.relabel(rows[:1], [99], [1])
    with pytest.raises(ValueError, match="never learned"):
        model.relabel(rows[3:4], [other], [labels[3]])
    with pytest.raises(ValueError, match="the same number of rows"):
        model.relabel(rows[:2], labels[:2], [1])
    with pytest.raises(ValueError, match="label of row 0 is missing"):
        model.relabel(rows[:1], labels[:1], [None])
    assert model.learned_ is before
    with pytest.raises(ValueError, match="name the learned rows"):
        FaastClassifier(selection_rows=50).fit(rows, labels).suspects()
    indicators = np.eye(10, dtype=int)[labels]
    with pytest.raises(ValueError, match="single labels"):
        FaastClassifier().fit(rows, indicators).suspects(rows, labels)
    with pytest.raises(ValueError, match="selection_rows > 0"):
        FaastClassifier(selection_rows=0).fit(rows, labels).suspects(rows, labels)


def test_suspects_are_asked_again_after_some_rows_were_relabelled():
    rows, labels = digits()
    rows, labels = rows[:300], labels[:300].copy()
    rows[7], labels[7] = rows[3], labels[3]  # of equal rows, the first gets the other label
    model = FaastClassifier().fit(rows, labels).partial_fit(rows[:1] / 2, [5])
    model.relabel(rows[:1] / 2, [5], [6])  # not a row of the fit
    wrong = np.array([3, 10, 200])
    other = np.array([11, 12, 13])  # new classes
    model.relabel(rows[wrong], labels[wrong], other)
    labels[wrong] = other
    found, named = model.suspects(), model.suspects(rows, labels)
    np.testing.assert_array_equal(found.rows, named.rows)
    np.testing.assert_array_equal(found.given, named.given)
    np.testing.assert_array_equal(model.loo_proba_, model.loo_proba(rows, labels))


def test_rows_are_named_after_a_class_without_weight_was_relabelled():
    rows, labels = np.eye(6), np.array(list("aabbcc"))
    model = FaastClassifier(class_weight={"a": 0.0}).fit(rows, labels)
    model.relabel(rows[[0, 2]], ["a", "b"], ["b", "a"])
    with pytest.raises(ValueError, match=r"name the learned rows .* suspects\(X, y\)"):
        model.suspects()
    assert len(model.suspects(rows[[0, 3, 4, 5]], list("bbcc")).rows) == 4


def test_rows_are_named_after_some_were_forgotten():
    rows, labels = np.eye(6), np.array(list("aabbcc"))
    model = FaastClassifier().fit(rows, labels).forget(rows[:1], labels[:1])
    with pytest.raises(ValueError, match=r"not known any more.* suspects\(X, y\)"):
        model.suspects()
    with pytest.raises(ValueError, match=r"not known any more.* loo_proba\(X, y\)"):
        model.loo_proba_  # noqa: B018


def test_a_model_does_not_see_what_the_caller_does_to_the_rows_after_the_fit():
    rows, labels = digits()
    rows, labels = rows[:200].copy(), labels[:200]
    model = FaastClassifier().fit(rows, labels)
    before = model.loo_proba_
    rows -= rows.mean(axis=0)
    np.testing.assert_array_equal(model.loo_proba_, before)
    assert len(model.suspects().rows) == 200
